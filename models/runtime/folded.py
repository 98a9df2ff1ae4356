"""The streaming WaveNet in few steps: norms inside the matrices, one matrix for all skips.

One hop is some millions of multiplications, which take less time than a hundred calls of torch
do. So every constant is worked out beforehand, and nothing is called that need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.dilated import Layer
from models.wavenet import ENERGY_FLOOR

if TYPE_CHECKING:
    from models.wavenet import WaveNet

STATE = ("samples", "levels", "means", "maxima", "stack")
"""The tensors of the network's state, in the order in which they go in and come out."""


class FoldedWaveNet(nn.Module):
    """What `network.stream` answers in eval mode, with the same state, for any number of hops.

    The weights are copies, taken now: training the network afterwards does not reach them.
    """

    # Matrices stand as they are multiplied, inputs by outputs: the other way round costs twice.
    basis: Tensor  # taps, 2 * frequencies
    bands: Tensor  # 2 * frequencies, bands
    floor: Tensor
    enter: Tensor  # patch * 2 * bands, C
    enter_bias: Tensor
    gates: Tensor  # layers, kernel * C, 2 * C
    gate_biases: Tensor
    residuals: Tensor  # layers, C, C
    offset: Tensor  # frames that the stack remembers, C
    skips: Tensor  # layers * C, skips
    skips_bias: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    last: Tensor
    last_bias: Tensor

    @torch.no_grad()
    def __init__(self, network: WaveNet) -> None:
        super().__init__()
        self.taps, self.stride = network.filterbank.taps, network.filterbank.stride
        self.context = network.filterbank.context
        self.frames_per_hop, self.steps_per_hop = network.frames_per_hop, network.steps_per_hop
        self.level_hops, self.pool_hops = network.level_hops, network.pool_hops
        self._fold_front(network)
        layers = [layer for layer in network.layers if isinstance(layer, Layer)]
        self.contexts = [layer.context for layer in layers]
        self.dilations = [layer.dilation for layer in layers]
        self._fold_stack(layers)
        scale, shift = _scale_and_shift(network.skips_norm)
        parts = [layer.out.weight[layer.sizes[0] :].T / 2 for layer in layers]
        self._keep("skips", torch.cat(parts) * scale)
        biases = torch.stack([layer.out.bias[layer.sizes[0] :] for layer in layers])
        self._keep("skips_bias", biases.sum(0) * scale + shift)
        for name, linear in (("hidden", network.hidden), ("last", network.last)):
            self._keep(name, linear.weight.T)
            self._keep(f"{name}_bias", linear.bias)

    def _keep(self, name: str, tensor: Tensor) -> None:
        self.register_buffer(name, tensor.detach().clone(memory_format=torch.contiguous_format))

    def _fold_front(self, network: WaveNet) -> None:
        """Squares of sine and cosine parts are summed by the matrix of the bands."""
        bands = network.filterbank.weight.abs().T
        self._keep("basis", network.filterbank.basis.T)
        self._keep("bands", torch.cat((bands, bands)))
        self._keep("floor", torch.full_like(bands[0], ENERGY_FLOOR))
        scale, shift = (part.repeat(network.patch) for part in _scale_and_shift(network.bands_norm))
        self._keep("enter", (network.enter.weight * scale).T)
        self._keep("enter_bias", network.enter.bias + network.enter.weight @ shift)

    def _fold_stack(self, layers: Sequence[Layer]) -> None:
        """The gate's sigmoid(x) is (1 + tanh(x / 2)) / 2, so that one tanh serves both halves.

        Biases of the residuals are not added layer by layer: each layer's input lacks the sum of
        those before it, `offset`, which its gate's bias makes up for.
        """
        channels = layers[0].sizes[0]
        half = layers[0].gated.weight.new_ones(2 * channels)
        half[channels:] = 0.5
        lacking = half.new_zeros(channels)
        gates, biases, offsets = [], [], []
        for layer in layers:
            scale, shift = _scale_and_shift(layer.norm)
            gate = layer.gated.weight.T * scale * half
            gates.append(gate)
            biases.append(shift * half + lacking.repeat(len(gate) // channels) @ gate)
            offsets.append(lacking.expand(layer.context, -1))
            lacking = lacking + layer.out.bias[:channels]
        self._keep("gates", torch.stack(gates))
        self._keep("gate_biases", torch.stack(biases))
        residuals = [layer.out.weight[:channels].T / 2 for layer in layers]
        self._keep("residuals", torch.stack(residuals))
        self._keep("offset", torch.cat(offsets))

    def forward(self, sound: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """(B, 1, n * hop) and the state -> logits (B, n, classes) and the state after them."""
        samples, levels, means, maxima, stack = state
        streams = sound.shape[0]
        heard = torch.cat((samples, sound[:, 0]), 1)
        frames = heard.unfold(1, self.taps, self.stride).reshape(-1, self.taps)
        power = torch.mm(frames, self.basis).square_()
        energy = torch.addmm(self.floor, power, self.bands).log_()
        energy = energy.view(streams, -1, self.frames_per_hop, energy.shape[-1])
        hops = energy.shape[1]
        levels = torch.cat((levels, _mean(energy, 2, self.frames_per_hop)), 1)
        before = _mean(levels[:, :-1].unfold(1, self.level_hops, 1), -1, self.level_hops)
        both = torch.cat((energy, energy - before[:, :, None]), -1)
        x = torch.addmm(self.enter_bias, both.view(-1, self.enter.shape[0]), self.enter)
        skipped, stack = self._through(x, stack)
        hidden = torch.addmm(self.hidden_bias, skipped.relu_(), self.hidden).relu_()
        hidden = hidden.view(streams, -1, self.steps_per_hop, hidden.shape[-1])
        means = torch.cat((means, _mean(hidden, 2, self.steps_per_hop)), 1)
        maxima = torch.cat((maxima, hidden.amax(2)), 1)
        mean = _mean(means.unfold(1, self.pool_hops, 1), -1, self.pool_hops)
        pooled = torch.cat((mean, maxima.unfold(1, self.pool_hops, 1).amax(-1)), -1)
        logits = torch.addmm(self.last_bias, pooled.view(-1, self.last.shape[0]), self.last)
        after = (heard[:, -self.context :], levels[:, hops:], means[:, hops:], maxima[:, hops:])
        return logits.view(streams, hops, -1), *after, stack

    def _through(self, x: Tensor, stack: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (B * n, C) and the remembered ones -> skips (B * n, skips), what to remember."""
        streams, channels = stack.shape[0], stack.shape[2]
        passed, kept = [], []
        parts = zip(
            torch.split_with_sizes(stack - self.offset, self.contexts, 1),
            self.dilations,
            self.gates.unbind(),
            self.gate_biases.unbind(),
            self.residuals.unbind(),
            strict=True,
        )
        for past, dilation, gate, bias, residual in parts:
            now = x.view(streams, -1, channels)
            joined, length = torch.cat((past, now), 1), now.shape[1]
            kept.append(joined[:, length:])
            starts = range(0, past.shape[1], dilation)
            reached = torch.cat([*(joined[:, at : at + length] for at in starts), now], -1)
            both = torch.addmm(bias, reached.view(-1, gate.shape[0]), gate).tanh_()
            filtered = both[:, :channels]
            passed.append(torch.addcmul(filtered, filtered, both[:, channels:]))
            x = torch.addmm(x, passed[-1], residual)
        skipped = torch.addmm(self.skips_bias, torch.cat(passed, 1), self.skips)
        return skipped, torch.cat(kept, 1).add_(self.offset)


def _scale_and_shift(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What a norm with stored statistics multiplies by, and then adds."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def _mean(x: Tensor, dim: int, length: int) -> Tensor:
    """`x.mean(dim)` of `length` values, which for so few costs torch twice this."""
    return x.sum(dim).mul_(1 / length)
