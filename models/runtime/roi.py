"""RoIAlign as a weighted sum of rows: the same numbers as torchvision's, on all cores.

torchvision's runs on one core and cannot be vectorised over channels; it was the longest stage
but one of a Mask R-CNN on a CPU.
"""

from __future__ import annotations

import operator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MultiScaleRoIAlign


class FeatureTable:
    """All maps of a picture as one table of feature vectors, made once for all who ask for it.

    `rows` is (sum of H * W, C), `sizes` (levels, 2) is width and height, `first` (levels) is where
    each level starts.
    """

    def __init__(self) -> None:
        self._maps: list[Tensor] = []

    def hold(self, maps: list[Tensor]) -> None:
        """Maps [(1, C, H, W)]; the same ones again cost nothing."""
        if len(maps) == len(self._maps) and all(map(operator.is_, maps, self._maps)):
            return
        self._maps = maps
        self.rows = torch.cat([level[0].flatten(1).T for level in maps])
        # Half the bytes of torch's own choice: there are many indices.
        self.sizes = torch.tensor([level.shape[:1:-1] for level in maps], dtype=torch.int32)
        area = self.sizes.prod(1, dtype=torch.int32)
        self.first = area.cumsum(0, dtype=torch.int32) - area


class GatheredRoIAlign(nn.Module):
    """What `pool`, which has seen a picture, does (He et al., ICCV 2017, section 3).

    All levels are one table of feature vectors; every cell of the output is a weighted sum of the
    rows that its samples touch. So no box is sorted by level, and none comes back in another order.
    """

    def __init__(self, pool: MultiScaleRoIAlign, table: FeatureTable) -> None:
        super().__init__()
        self.table = table
        self.names = pool.featmap_names
        self.side = int(pool.output_size[0])
        self.samples = int(pool.sampling_ratio)
        self.scales = torch.tensor(pool.scales)
        self.levels = pool.map_levels
        within = (torch.arange(self.samples) + 0.5) / self.samples
        self.at = torch.arange(self.side)[:, None] + within  # side, samples

    def forward(
        self, maps: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Maps (1, C, H, W) by name and boxes [(N, 4)] of one picture -> (N, C, side, side)."""
        del sizes
        (own,) = boxes
        used = [maps[name] for name in self.names]
        channels = used[0].shape[1]
        if not len(own):
            return used[0].new_zeros(0, channels, self.side, self.side)
        self.table.hold(used)
        level = self.levels([own]) if self.levels is not None else own.new_zeros(len(own)).long()
        size = self.table.sizes[level]
        touched, weights = self._touched(own * self.scales[level][:, None], size)
        cells = self._sum(self.table.first[level], size[:, 0], touched, weights)
        return cells.reshape(len(own), self.side, self.side, channels).permute(0, 3, 1, 2)

    def _touched(self, corners: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2, side, 2 * samples): which columns and which rows, and the weight of each."""
        low, high = corners.view(-1, 2, 2).unbind(1)
        step = (high - low).clamp(min=1) / self.side
        at = low[..., None, None] + self.at * step[..., None, None]
        end = size[..., None, None]
        inside = ((at >= -1) & (at <= end)) / self.samples
        at = at.clamp(min=0)
        before = torch.minimum(at.int(), end - 1)
        after = torch.minimum(before + 1, end - 1)
        share = (at - before) * (after - before)  # none of a column or row that is not there
        weights = torch.cat(((1 - share) * inside, share * inside), -1)
        return torch.cat((before, after), -1), weights

    def _sum(self, first: Tensor, wide: Tensor, touched: Tensor, weights: Tensor) -> Tensor:
        """(N * side * side, C): the rows of the table that each cell touches, summed up."""
        column, row = touched.unbind(1)
        start = first[:, None, None] + row * wide[:, None, None]
        # N, side (y), side (x), samples (y), samples (x)
        index = start[:, :, None, :, None] + column[:, None, :, None, :]
        weight = weights[:, 1, :, None, :, None] * weights[:, 0, None, :, None, :]
        many = (2 * self.samples) ** 2
        return F.embedding_bag(
            index.reshape(-1, many),
            self.table.rows,
            mode="sum",
            per_sample_weights=weight.reshape(-1, many),
        )
