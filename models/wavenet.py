"""A WaveNet that names sounds: raw samples in, one row of logits per hop, offline or streaming.

After van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016): causal convolutions
with dilations 1, 2, 4, ..., gated by tanh * sigmoid, with residual and skip connections.

Two things differ from the paper, both for cost. The input is linear, not mu-law: mu-law exists to
make a sample one of 256 choices for a network that draws samples; here it would add noise to
quiet sounds and a wide layer at the full rate, and the logarithm in the filterbank compresses
better. And a learned causal filterbank with a stride turns samples into frames first, so that the
dilated stack runs twenty times a second, not sixteen thousand.

Everything is causal: row k depends only on samples before `(k + 1) * hop`. Streaming keeps, for
every layer, the inputs that later outputs still need; both forms run the same code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.card import Card, CheckpointError
from models.checkpoint import load, load_into

State = dict[str, Tensor]
"""What a stream must remember between chunks: tensors by name, streams along dimension 0."""

ENERGY_FLOOR = 1e-8
"""Squared amplitude (-80 dB) below which everything is silence."""


def _mel_hz(bands: int, top_hz: float, bottom_hz: float = 60.0) -> Tensor:
    """`bands` centre frequencies in Hz, evenly spaced on the mel scale, ends included."""
    low, high = (2595 * math.log10(1 + f / 700) for f in (bottom_hz, top_hz))
    return 700 * (10 ** (torch.linspace(low, high, bands) / 2595) - 1)


class Filterbank(nn.Module):
    """Learned pairs of filters over the last `taps` samples -> log energy per band and frame.

    The pairs start as a sine and a cosine under a window, at mel frequencies. Frame j ends at
    sample `(j + 1) * stride`.
    """

    def __init__(self, bands: int, taps: int, stride: int, sample_rate: int) -> None:
        super().__init__()
        if taps < stride:
            message = f"{taps} taps are fewer than the stride of {stride}: samples would be skipped"
            raise ValueError(message)
        self.stride = stride
        self.context = taps - stride
        time = torch.arange(taps) / sample_rate
        phase = 2 * math.pi * _mel_hz(bands, 0.45 * sample_rate)[:, None] * time
        window = torch.hann_window(taps, periodic=False)
        pairs = torch.stack((phase.sin(), phase.cos())) * window * 2 / window.sum()
        self.weight = nn.Parameter(pairs.reshape(2 * bands, taps))

    def forward(self, samples: Tensor) -> Tensor:
        """(B, context + n * stride) -> (B, n, bands), natural log of squared amplitude."""
        frames = samples.unfold(-1, self.weight.shape[1], self.stride)  # B, n, taps
        sine, cosine = F.linear(frames, self.weight).chunk(2, dim=-1)
        return torch.log(sine.square() + cosine.square() + ENERGY_FLOOR)


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
        gated = _normalised(self.norm, self.gated(torch.cat(reached, dim=-1)))
        filtered, gate = gated.chunk(2, dim=-1)
        residual, skip = self.out(filtered.tanh() * gate.sigmoid()).split(self.sizes, dim=-1)
        return reached[-1] + residual, skip


class WaveNet(nn.Module):
    """The sound network: (B, 1, T) samples in [-1, 1] -> (B, T // hop, classes) logits.

    `hop` and `stride` are in samples; `patch` frames of the filterbank make one step of the stack.
    `level_hops` is the length of the past that the band energies are compared with, so that what
    sets in stands out from what was there; `pool_hops` is the window of the mean and the maximum
    before the last layer.
    BatchNorm uses its stored statistics outside training, so no statistic spans future samples.
    """

    def __init__(
        self,
        classes: int,
        sample_rate: int = 16_000,
        hop: int = 1600,
        stride: int = 200,
        taps: int = 400,
        bands: int = 64,
        channels: int = 64,
        skips: int = 96,
        kernel: int = 2,
        dilations: Sequence[int] = (1, 2, 4, 8) * 2,
        patch: int = 4,
        level_hops: int = 8,
        pool_hops: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if hop % (stride * patch):
            message = f"the hop of {hop} samples is no multiple of {patch} strides of {stride}"
            raise ValueError(message)
        self.classes, self.hop, self.sample_rate = classes, hop, sample_rate
        self.level_hops, self.pool_hops, self.patch = level_hops, pool_hops, patch
        self.frames_per_hop, self.steps_per_hop = hop // stride, hop // stride // patch
        self.filterbank = Filterbank(bands, taps, stride, sample_rate)
        self.bands_norm = nn.BatchNorm1d(2 * bands)
        self.enter = nn.Linear(2 * bands * patch, channels)
        self.layers = nn.ModuleList(Layer(channels, skips, kernel, d) for d in dilations)
        self.contexts = [(kernel - 1) * d for d in dilations]
        self.skips_norm = nn.BatchNorm1d(skips)
        self.hidden = nn.Linear(skips, skips)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(2 * skips, classes)
        stack_hops = math.ceil(sum(self.contexts) / self.steps_per_hop)
        hops = pool_hops + stack_hops + level_hops
        self.receptive_field = hops * hop + taps - stride

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams before their first sample: silence."""
        like = self.last.weight
        bands, skips = self.bands_norm.num_features // 2, self.hidden.out_features
        silence = math.log(ENERGY_FLOOR)
        state = {
            "samples": like.new_zeros(batch, self.filterbank.context),
            "levels": like.new_full((batch, self.level_hops, bands), silence),
            "means": like.new_zeros(batch, self.pool_hops - 1, skips),
            "maxima": like.new_zeros(batch, self.pool_hops - 1, skips),
        }
        for number, context in enumerate(self.contexts):
            state[f"layer{number}"] = like.new_zeros(batch, context, self.enter.out_features)
        return state

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, T) -> (B, T // hop, classes); samples after the last whole hop are ignored.

        ValueError when the shape is another or holds no whole hop.
        """
        if x.ndim != 3 or x.shape[1] != 1 or x.shape[2] < self.hop:
            message = f"expected (B, 1, T) with T of at least {self.hop}, got {tuple(x.shape)}"
            raise ValueError(message)
        whole = x.shape[2] // self.hop * self.hop
        return self.stream(x[..., :whole], self.initial_state(x.shape[0]))[0]

    def stream(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, 1, n * hop) and the state -> (B, n, classes) logits and the state after them.

        Any division into whole hops gives the logits of the whole signal. The given state is left
        as it was, so it can be kept and used again.
        """
        if x.ndim != 3 or x.shape[1] != 1 or not x.shape[2] or x.shape[2] % self.hop:
            message = f"expected (B, 1, n * {self.hop}) with n of at least 1, got {tuple(x.shape)}"
            raise ValueError(message)
        if len(state["samples"]) != len(x):
            message = f"{len(x)} streams of samples, but the state of {len(state['samples'])}"
            raise ValueError(message)
        after: State = {}
        samples = _with_past(x[:, 0], state, "samples", after)
        frames = self._enter(self.filterbank(samples), state, after)
        skipped: Tensor | None = None
        for number, layer in enumerate(self.layers):
            frames, skip = layer(_with_past(frames, state, f"layer{number}", after))
            skipped = skip if skipped is None else skipped + skip
        assert skipped is not None
        hidden = F.relu(self.hidden(F.relu(_normalised(self.skips_norm, skipped))))
        return self._pool(hidden, state, after), after

    def _enter(self, energy: Tensor, state: State, after: State) -> Tensor:
        """Band energies (B, n, bands), and against the hops before -> (B, n / patch, C)."""
        levels = _grouped(energy, self.frames_per_hop).mean(2)
        history = _with_past(levels, state, "levels", after)[:, :-1]
        past = history.unfold(1, self.level_hops, 1).mean(-1)
        contrast = energy - past.repeat_interleave(self.frames_per_hop, dim=1)
        both = _normalised(self.bands_norm, torch.cat((energy, contrast), dim=-1))
        entered: Tensor = self.enter(_grouped(both, self.patch).flatten(2))
        return entered

    def _pool(self, hidden: Tensor, state: State, after: State) -> Tensor:
        """(B, n * steps_per_hop, skips) -> logits (B, n, classes) over the last `pool_hops`."""
        by_hop = _grouped(hidden, self.steps_per_hop)
        means = _with_past(by_hop.mean(2), state, "means", after).unfold(1, self.pool_hops, 1)
        maxima = _with_past(by_hop.amax(2), state, "maxima", after).unfold(1, self.pool_hops, 1)
        pooled = torch.cat((means.mean(-1), maxima.amax(-1)), dim=-1)  # B, n, 2 * skips
        logits: Tensor = self.last(self.dropout(pooled))
        return logits


def _grouped(frames: Tensor, size: int) -> Tensor:
    """(B, n * size, C) -> (B, n, size, C)."""
    batch, _, channels = frames.shape
    return frames.reshape(batch, -1, size, channels)


def _normalised(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """(B, n, C) -> the same, normalised per channel over all frames."""
    normal: Tensor = norm(x.flatten(0, 1)).view_as(x)
    return normal


def _with_past(x: Tensor, state: State, name: str, after: State) -> Tensor:
    """`x` with its past in front, along time; keeps the newest part of both for the next chunk."""
    past = state[name]
    joined = torch.cat((past, x), dim=1)
    after[name] = joined[:, joined.shape[1] - past.shape[1] :].detach()
    return joined


def build(architecture: dict[str, Any]) -> WaveNet:
    """The network that an architecture (of a card) describes, with fresh weights, in eval mode."""
    return WaveNet(**architecture).eval()


def load_sound(weights: str | Path, device: str = "cpu") -> tuple[Card, WaveNet]:
    """Card and network of a sound checkpoint, in eval mode; CheckpointError when it is another."""
    card, state = load(weights)
    if card.network != "wavenet":
        message = f"{weights}: a {card.network} checkpoint; the sound lane needs a wavenet"
        raise CheckpointError(message)
    network = build(card.architecture)
    load_into(network, state, str(weights))
    return card, network.to(device)
