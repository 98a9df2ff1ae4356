"""The project's own small frame CNN, whose feature is a coarse grid of the picture."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class TinyTrunk(nn.Module):
    """A small CNN whose feature is a coarse grid, so that *where* something is stays visible.

    (B, 3, H, W) -> the grid (B, grid_channels * H/8 * W/8) in 0..1, channels first; with
    `classes`, the layer `decide` makes logits (B, classes) of it. Norms are over one frame only, so
    nothing leaks from frame to frame. H and W are multiples of 8.
    """

    def __init__(
        self,
        width: int,
        height: int,
        classes: int = 0,
        *,
        channels: Sequence[int] = (16, 32, 48),
        grid_channels: int = 8,
    ) -> None:
        super().__init__()
        if width % 8 or height % 8:
            message = f"the tiny frame CNN takes multiples of 8, not {width}x{height}"
            raise ValueError(message)
        first, second, third = channels
        self.layers = nn.Sequential(
            *_block(3, first, kernel=5, stride=2),
            *_block(first, second, stride=2),
            *_block(second, second),
            *_block(second, third, stride=2),
            *_block(third, third),
            *_block(third, third, dilation=2),
        )
        self.grid = nn.Conv2d(third, grid_channels, 1)
        self.feature_size = grid_channels * (height // 8) * (width // 8)
        self.decide = nn.Linear(self.feature_size, classes) if classes else nn.Identity()

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> (B, F), or logits (B, classes)."""
        features = self.grid(self.layers(pictures)).sigmoid()  # B, C, H/8, W/8
        decided: Tensor = self.decide(features.flatten(1))
        return decided


def _block(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> tuple[nn.Module, ...]:
    padding = dilation * (kernel // 2)
    return (
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
        nn.GroupNorm(max(1, outputs // 8), outputs),
        nn.ReLU(inplace=True),
    )
