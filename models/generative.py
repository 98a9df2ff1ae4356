"""A WaveNet that draws sound: the odds of the next sample, given all samples before it.

After van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016): samples become one
of 256 mu-law values (ITU-T G.711), a dilated causal stack reads them one sample late, and its
skips become the odds of 256 values. Here it also says how unusual a sound is: the negative log
likelihood of every hop under what the network learned.

The stack is that of the sound classifier (models/dilated.py), at the full sample rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dilated import Layer, State, normalised, stack_state, through

VALUES = 256
MU = VALUES - 1
SILENCE = VALUES // 2
"""The mu-law value of 0, which also stands for the sample before the first."""


def mu_law(samples: Tensor) -> Tensor:
    """Samples in [-1, 1] (beyond is clipped) -> values 0..255, int64, finest near silence."""
    x = samples.clamp(-1, 1)
    squeezed = x.sign() * torch.log1p(MU * x.abs()) / math.log1p(MU)
    return ((squeezed + 1) / 2 * MU + 0.5).long()


def from_mu_law(values: Tensor) -> Tensor:
    """Values 0..255 -> float32 samples in [-1, 1], the middle of what each value stands for."""
    squeezed = 2 * values.float() / MU - 1
    return squeezed.sign() * torch.expm1(squeezed.abs() * math.log1p(MU)) / MU


class GenerativeWaveNet(nn.Module):
    """Mu-law values (B, T), int64 -> logits (B, T, 256); row t is of value t, given those before.

    The receptive field, in samples, is 1 for the value before plus what the dilations reach back.
    """

    def __init__(
        self,
        channels: int = 32,
        skips: int = 64,
        kernel: int = 2,
        dilations: Sequence[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) * 2,
    ) -> None:
        super().__init__()
        if not dilations or min(dilations) < 1 or kernel < 2:
            message = f"expected dilations of at least 1 and a kernel of at least 2, not {kernel}"
            raise ValueError(message)
        self.enter = nn.Embedding(VALUES, channels)
        self.layers = nn.ModuleList(Layer(channels, skips, kernel, d) for d in dilations)
        self.skips_norm = nn.BatchNorm1d(skips)
        self.hidden = nn.Linear(skips, skips)
        self.last = nn.Linear(skips, VALUES)
        self.receptive_field = 1 + sum((kernel - 1) * d for d in dilations)

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams before their first sample."""
        before = torch.full((batch, 1), SILENCE, device=self.last.weight.device)
        return {"before": before} | stack_state(self.layers, self.last.weight, batch)

    def forward(self, values: Tensor) -> Tensor:
        """The logits of whole signals; ValueError when the shape is not (B, T), T at least 1."""
        return self.stream(values, self.initial_state(len(values)))[0]

    def stream(self, values: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next values (B, n), and the state after them.

        Any division of a signal gives the logits of the whole; the given state stays as it was.
        """
        if values.ndim != 2 or not values.shape[1]:
            message = f"expected values of shape (B, T) with T of at least 1, got {values.shape}"
            raise ValueError(message)
        after: State = {"before": values[:, -1:]}
        known = torch.cat((state["before"], values[:, :-1]), dim=1)
        return self._logits(known, state, after), after

    def next_logits(self, state: State) -> tuple[Tensor, State]:
        """The logits (B, 256) of the one value that comes next, and the state without it.

        Put the value that was chosen into the state as `before`, (B, 1), to go on.
        """
        after: State = {}
        return self._logits(state["before"], state, after)[:, -1], after

    def _logits(self, known: Tensor, state: State, after: State) -> Tensor:
        skipped = through(self.layers, self.enter(known), state, after)
        hidden = F.relu(self.hidden(F.relu(normalised(self.skips_norm, skipped))))
        logits: Tensor = self.last(hidden)
        return logits

    @torch.inference_mode()
    def surprise(self, samples: Tensor, hop: int, state: State) -> tuple[Tensor, State]:
        """Samples (B, n * hop) -> mean negative log likelihood per hop (B, n), nats a sample.

        Log 256 = 5.55 is what knowing nothing costs. ValueError when a hop is not whole.
        """
        if samples.ndim != 2 or not samples.shape[1] or samples.shape[1] % hop:
            message = f"expected (B, n * {hop}) with n of at least 1, got {tuple(samples.shape)}"
            raise ValueError(message)
        values = mu_law(samples)
        logits, after = self.stream(values, state)
        cost = F.cross_entropy(logits.transpose(1, 2), values, reduction="none")
        return cost.view(len(values), -1, hop).mean(-1), after

    @torch.inference_mode()
    def sample(
        self, count: int, state: State, generator: torch.Generator, temperature: float = 1.0
    ) -> tuple[Tensor, State]:
        """`count` drawn samples (B, count) in [-1, 1], and the state after them.

        The cost of a sample does not depend on the receptive field. A temperature below 1 keeps
        to likely values; ValueError when it is not above 0.
        """
        if temperature <= 0:
            message = f"the temperature is {temperature}; it has to be above 0"
            raise ValueError(message)
        drawn = []
        for _ in range(count):
            logits, state = self.next_logits(state)
            odds = (logits / temperature).softmax(-1)
            state["before"] = torch.multinomial(odds, 1, generator=generator)
            drawn.append(state["before"])
        return from_mu_law(torch.cat(drawn, dim=1)), state


def next_sample_loss(network: GenerativeWaveNet, samples: Tensor) -> Tensor:
    """The cross-entropy of the next value, nats, over samples (B, T) in [-1, 1]."""
    values = mu_law(samples)
    return F.cross_entropy(network(values).transpose(1, 2), values)
