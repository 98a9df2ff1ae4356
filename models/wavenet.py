"""A WaveNet that names sounds: raw samples in, one row of logits per hop, offline or streaming.

After van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016): causal convolutions
with dilations 1, 2, 4, ..., gated by tanh * sigmoid, with residual and skip connections.

Two things differ from the paper, both for cost. The input is linear, not mu-law: mu-law exists to
make a sample one of 256 choices for a network that draws samples; here it would add noise to
quiet sounds and a wide layer at the full rate, and the logarithm in the filterbank compresses
better. And a causal filterbank with a stride, its bands learned, turns samples into frames first,
so that the dilated stack runs twenty times a second, not sixteen thousand.

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

from models.card import Card
from models.checkpoint import load_network
from models.dilated import Layer, State, normalised, stack_state, through, with_past

ENERGY_FLOOR = 1e-8
"""Squared amplitude (-80 dB) below which everything is silence."""


def _mel_triangles(bands: int, hz: Tensor, top_hz: float, bottom_hz: float = 60.0) -> Tensor:
    """(bands, frequencies): triangles evenly spaced on the mel scale, none without a frequency."""
    low, high = (2595 * math.log10(1 + f / 700) for f in (bottom_hz, top_hz))
    edges = 700 * (10 ** (torch.linspace(low, high, bands + 2) / 2595) - 1)
    bin_hz = hz[1] - hz[0]
    centre = edges[1:-1, None]
    below = torch.maximum(centre - edges[:-2, None], bin_hz)
    above = torch.maximum(edges[2:, None] - centre, bin_hz)
    offset = hz - centre
    return (1 - torch.where(offset < 0, -offset / below, offset / above)).clamp(min=0)


class Filterbank(nn.Module):
    """The last `taps` samples -> log power in learned bands, per frame.

    A windowed Fourier transform (fixed), then a weighted sum of its power per band (learned,
    starting as triangles on the mel scale). A band sums over all of its width, so noise is
    steadier in it than behind a single narrow filter. Frame j ends at sample `(j + 1) * stride`.
    """

    basis: Tensor

    def __init__(self, bands: int, taps: int, stride: int, sample_rate: int) -> None:
        super().__init__()
        if taps < stride:
            message = f"{taps} taps are fewer than the stride of {stride}: samples would be skipped"
            raise ValueError(message)
        self.taps, self.stride = taps, stride
        self.context = taps - stride
        top_hz = 0.45 * sample_rate
        hz = torch.arange(1, int(top_hz * taps / sample_rate) + 1) * (sample_rate / taps)
        phase = 2 * math.pi * hz[:, None] * torch.arange(taps) / sample_rate
        window = torch.hann_window(taps, periodic=False)
        basis = torch.cat((phase.sin(), phase.cos())) * window * 2 / window.sum()
        self.register_buffer("basis", basis, persistent=False)
        self.weight = nn.Parameter(_mel_triangles(bands, hz, top_hz))

    def forward(self, samples: Tensor) -> Tensor:
        """(B, context + n * stride) -> (B, n, bands), natural log of squared amplitude."""
        frames = samples.unfold(-1, self.taps, self.stride)  # B, n, taps
        sine, cosine = F.linear(frames, self.basis).chunk(2, dim=-1)
        power = sine.square() + cosine.square()
        return torch.log(F.linear(power, self.weight.abs()) + ENERGY_FLOOR)


class BandMask(nn.Module):
    """While training, hides up to `widest` neighbouring bands of a signal; else does nothing.

    Frequency masking after Park et al., "SpecAugment" (2019): no band may be needed to tell.
    """

    def __init__(self, widest: int) -> None:
        super().__init__()
        self.widest = widest

    def forward(self, both: Tensor) -> Tensor:
        """(B, n, 2 * bands) -> the same, 0 where hidden, in both halves alike."""
        if not self.training:
            return both
        bands = both.shape[-1] // 2
        width = torch.randint(self.widest + 1, (len(both), 1))
        first = torch.randint(bands, (len(both), 1))
        band = torch.arange(bands)
        seen = ((band < first) | (band >= first + width)).to(both)  # B, bands
        return both * seen.repeat(1, 2)[:, None]


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
        self.mask = BandMask(bands // 5)
        self.enter = nn.Linear(2 * bands * patch, channels)
        self.layers = nn.ModuleList(Layer(channels, skips, kernel, d) for d in dilations)
        self.skips_norm = nn.BatchNorm1d(skips)
        self.hidden = nn.Linear(skips, skips)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(2 * skips, classes)
        stack_hops = math.ceil(sum((kernel - 1) * d for d in dilations) / self.steps_per_hop)
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
        return state | stack_state(self.layers, like, batch)

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
        samples = with_past(x[:, 0], state, "samples", after)
        frames = self._enter(self.filterbank(samples), state, after)
        skipped = through(self.layers, frames, state, after)
        hidden = F.relu(self.hidden(F.relu(normalised(self.skips_norm, skipped))))
        return self._pool(hidden, state, after), after

    def _enter(self, energy: Tensor, state: State, after: State) -> Tensor:
        """Band energies (B, n, bands), and against the hops before -> (B, n / patch, C)."""
        levels = _grouped(energy, self.frames_per_hop).mean(2)
        history = with_past(levels, state, "levels", after)[:, :-1]
        past = history.unfold(1, self.level_hops, 1).mean(-1)
        contrast = energy - past.repeat_interleave(self.frames_per_hop, dim=1)
        both = normalised(self.bands_norm, torch.cat((energy, contrast), dim=-1))
        entered: Tensor = self.enter(_grouped(self.mask(both), self.patch).flatten(2))
        return entered

    def _pool(self, hidden: Tensor, state: State, after: State) -> Tensor:
        """(B, n * steps_per_hop, skips) -> logits (B, n, classes) over the last `pool_hops`."""
        by_hop = _grouped(hidden, self.steps_per_hop)
        means = with_past(by_hop.mean(2), state, "means", after).unfold(1, self.pool_hops, 1)
        maxima = with_past(by_hop.amax(2), state, "maxima", after).unfold(1, self.pool_hops, 1)
        pooled = torch.cat((means.mean(-1), maxima.amax(-1)), dim=-1)  # B, n, 2 * skips
        logits: Tensor = self.last(self.dropout(pooled))
        return logits


def _grouped(frames: Tensor, size: int) -> Tensor:
    """(B, n * size, C) -> (B, n, size, C)."""
    batch, _, channels = frames.shape
    return frames.reshape(batch, -1, size, channels)


def build(architecture: dict[str, Any]) -> WaveNet:
    """The network that an architecture (of a card) describes, with fresh weights, in eval mode."""
    return WaveNet(**architecture).eval()


def load_sound(weights: str | Path, device: str = "cpu") -> tuple[Card, WaveNet]:
    """Card and network of a sound checkpoint, in eval mode; CheckpointError when it is another."""
    return load_network(weights, "wavenet", build, device)
