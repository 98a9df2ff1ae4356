"""The dilated causal stack that every WaveNet here shares, whatever goes in and comes out.

After van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016): causal convolutions
with dilations 1, 2, 4, ..., gated by tanh * sigmoid, with residual and skip connections. Every
layer remembers as many inputs as its dilation reaches back, so the next step costs the same
however long the past is (the queues of Le Paine et al., "Fast Wavenet Generation Algorithm",
2016).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

State = dict[str, Tensor]
"""What a stream must remember between chunks: tensors by name, streams along dimension 0."""


class Layer(nn.Module):
    """One dilated gated layer: (B, context + n, C) -> residual output, skip output.

    The dilated convolution is a matrix product over the frames that it reaches: channels last and
    a few short rows are what a stream brings, and a CPU multiplies them faster than it convolves.
    """

    def __init__(self, channels: int, skips: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.context = (kernel - 1) * dilation
        self.sizes = [channels, skips]
        self.gated = nn.Linear(kernel * channels, 2 * channels, bias=False)
        self.norm = nn.BatchNorm1d(2 * channels)
        self.out = nn.Linear(channels, channels + skips)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, context + n, C) -> (B, n, C), (B, n, skips)."""
        n = x.shape[1] - self.context
        reached = [x[:, at : at + n] for at in range(0, self.context + 1, self.dilation)]
        gated = normalised(self.norm, self.gated(torch.cat(reached, dim=-1)))
        filtered, gate = gated.chunk(2, dim=-1)
        residual, skip = self.out(filtered.tanh() * gate.sigmoid()).split(self.sizes, dim=-1)
        return reached[-1] + residual, skip


def stack_state(layers: Iterable[nn.Module], like: Tensor, batch: int) -> State:
    """The state of the layers of `batch` streams before their first step: zeros.

    One tensor, (B, frames, C): what each layer remembers, one after the other.
    """
    frames = sum(_contexts(layers))
    channels = next((layer.sizes[0] for layer in layers if isinstance(layer, Layer)), 0)
    return {"stack": like.new_zeros(batch, frames, channels)}


def through(layers: Iterable[nn.Module], x: Tensor, state: State, after: State) -> Tensor:
    """(B, n, C) through all layers -> the sum of their skips (B, n, skips).

    `state` is what was remembered; what is to be remembered is put into `after`.
    """
    skipped: Tensor | None = None
    kept = []
    pasts = torch.split_with_sizes(state["stack"], _contexts(layers), dim=1)
    for layer, past in zip(layers, pasts, strict=True):
        joined = torch.cat((past, x), dim=1)
        kept.append(joined[:, x.shape[1] :].detach())
        x, skip = layer(joined)
        skipped = skip if skipped is None else skipped + skip
    if skipped is None:
        message = "a stack needs at least one layer"
        raise ValueError(message)
    after["stack"] = torch.cat(kept, dim=1)
    return skipped


def _contexts(layers: Iterable[nn.Module]) -> list[int]:
    return [layer.context for layer in layers if isinstance(layer, Layer)]


def normalised(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """(B, n, C) -> the same, normalised per channel over all frames."""
    normal: Tensor = norm(x.flatten(0, 1)).view_as(x)
    return normal


def with_past(x: Tensor, state: State, name: str, after: State) -> Tensor:
    """`x` with its past in front, along time; keeps the newest part of both for the next chunk."""
    past = state[name]
    joined = torch.cat((past, x), dim=1)
    after[name] = joined[:, joined.shape[1] - past.shape[1] :].detach()
    return joined
