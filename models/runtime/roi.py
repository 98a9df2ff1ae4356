"""RoIAlign as a weighted sum of rows: the same numbers as torchvision's, on all cores.

torchvision's runs on one core and cannot be vectorised over channels; it was the longest stage
but one of a Mask R-CNN on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MultiScaleRoIAlign

Corners = tuple[Tensor, Tensor]  # which rows or columns, and their weights


class GatheredRoIAlign(nn.Module):
    """What `pool`, which has seen a picture, does (He et al., ICCV 2017, section 3).

    All levels are one table of feature vectors; every cell of the output is a weighted sum of the
    rows that its samples touch. So no box is sorted by level, and none comes back in another order.
    """

    def __init__(self, pool: MultiScaleRoIAlign) -> None:
        super().__init__()
        self.names = pool.featmap_names
        self.side = int(pool.output_size[0])
        self.samples = int(pool.sampling_ratio)
        self.scales = torch.tensor(pool.scales)
        self.levels = pool.map_levels

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
        table = torch.cat([level[0].flatten(1).T for level in used])  # sum of H * W, C
        shape = torch.tensor([level.shape[2:] for level in used])
        first = F.pad(shape.prod(1).cumsum(0), (1, 0))[:-1]
        level = self.levels([own]) if self.levels is not None else own.new_zeros(len(own)).long()
        high, wide = shape[level].unbind(1)
        corners = own * self.scales[level][:, None]
        rows = self._corners(corners[:, 1], corners[:, 3], high)
        columns = self._corners(corners[:, 0], corners[:, 2], wide)
        cells = self._sum(table, first[level], wide, rows, columns)
        return cells.reshape(len(own), self.side, self.side, channels).permute(0, 3, 1, 2)

    def _corners(self, low: Tensor, high: Tensor, length: Tensor) -> Corners:
        """(N, side, 2 * samples) indices along one axis and the weight of each."""
        extent = (high - low).clamp(min=1)
        step = extent / self.side
        offsets = (torch.arange(self.samples) + 0.5) / self.samples
        cells = torch.arange(self.side)[:, None] + offsets  # side, samples
        at = low[:, None, None] + cells * step[:, None, None]
        top = length[:, None, None]
        inside = (at >= -1) & (at <= top)
        at = at.clamp(min=0)
        before = torch.minimum(at.floor().long(), top - 1)
        after = torch.minimum(before + 1, top - 1)
        share = torch.where(before == top - 1, 0, at - before)
        weights = torch.cat((1 - share, share), -1) * torch.cat((inside, inside), -1)
        return torch.cat((before, after), -1), weights / self.samples

    def _sum(
        self, table: Tensor, first: Tensor, wide: Tensor, rows: Corners, columns: Corners
    ) -> Tensor:
        """(N * side * side, C): the rows of the table that each cell touches, summed up."""
        row, row_weight = rows
        column, column_weight = columns
        start = first[:, None, None] + row * wide[:, None, None]
        # N, side (y), side (x), samples (y), samples (x)
        index = start[:, :, None, :, None] + column[:, None, :, None, :]
        weight = row_weight[:, :, None, :, None] * column_weight[:, None, :, None, :]
        touched = (2 * self.samples) ** 2
        return F.embedding_bag(
            index.reshape(-1, touched),
            table,
            mode="sum",
            per_sample_weights=weight.reshape(-1, touched),
        )
