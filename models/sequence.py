"""What reads the features of a frame CNN in order: a GRU, an MLP over a window, a vote.

Every head has an offline form, `head(features (B, T, F)) -> logits (B, T, classes)`, and a
streaming one, `head.step(feature (B, F), state) -> (logits (B, classes), state)`. Both give the
same, and row t depends on features up to t only. A state is a tuple of tensors whose first axis is
the batch, so states of many streams can be joined for one step and split again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, ...]


def join_states(states: Sequence[State]) -> State:
    """The states of several streams as the state of one batch, in that order."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))


def split_state(state: State) -> list[State]:
    """The state of a batch as one state per stream, in order; each owns its memory."""
    batch = state[0].shape[0]
    return [tuple(part[row : row + 1].clone() for part in state) for row in range(batch)]


class SequenceHead(nn.Module, ABC):
    """What the heads share: the shape check at the door and the offline form, step by step."""

    def __init__(self, feature_size: int, classes: int) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.classes = classes

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first frame of `batch` streams."""

    @abstractmethod
    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, F) -> logits (B, T, classes)."""
        self._check(features, 3)
        state = self.initial_state(features.shape[0])
        rows = []
        for feature in features.unbind(1):
            logits, state = self.step(feature, state)
            rows.append(logits)
        return torch.stack(rows, 1)

    def _check(self, features: Tensor, axes: int) -> None:
        if features.ndim != axes or features.shape[-1] != self.feature_size:
            wanted = "(B, T, F)" if axes == 3 else "(B, F)"
            shape = tuple(features.shape)
            message = f"{wanted} with F={self.feature_size} is wanted, got {shape}"
            raise ValueError(message)

    def _zeros(self, *shape: int) -> Tensor:
        like = next(self.parameters())
        return like.new_zeros(shape)


def _encoder(feature_size: int, hidden: int, grid: Sequence[int] | None) -> nn.Sequential:
    """(B, F) -> (B, hidden); a feature that is a grid (C, h, w) is read as a picture."""
    if grid is None:
        return nn.Sequential(nn.Linear(feature_size, hidden), nn.ReLU())
    channels, height, width = grid
    if channels * height * width != feature_size:
        message = f"a grid {tuple(grid)} has not the {feature_size} numbers of the feature"
        raise ValueError(message)
    return nn.Sequential(
        nn.Unflatten(1, (channels, height, width)),
        nn.Conv2d(channels, 16, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 48, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(48 * -(-height // 4) * -(-width // 4), hidden),
        nn.ReLU(),
    )


class FeatureVote(SequenceHead):
    """Every frame is classified by itself; the mean score of the last `window` frames decides.

    It knows nothing of order, and so is the floor every other head has to beat. The logits are
    the logarithms of the mean scores; `majority` counts the most frequent label instead.
    """

    def __init__(
        self,
        feature_size: int,
        classes: int,
        *,
        hidden: int = 64,
        window: int = 10,
        grid: Sequence[int] | None = None,
        majority: bool = False,
    ) -> None:
        super().__init__(feature_size, classes)
        self.window = window
        self.majority = majority
        self.single = nn.Sequential(
            _encoder(feature_size, hidden, grid), nn.Linear(hidden, classes)
        )

    def frame_logits(self, features: Tensor) -> Tensor:
        """(..., F) -> (..., classes): what each frame says alone; this is what is trained."""
        logits: Tensor = self.single(features.reshape(-1, self.feature_size))
        return logits.reshape(*features.shape[:-1], self.classes)

    def initial_state(self, batch: int) -> State:
        """(B, window, classes) past scores, zero before the first frame."""
        return (self._zeros(batch, self.window, self.classes),)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        self._check(feature, 2)
        scores = F.softmax(self.frame_logits(feature), -1)
        if self.majority:
            scores = F.one_hot(scores.argmax(-1), self.classes).to(scores.dtype)
        past = torch.cat([state[0][:, 1:], scores[:, None]], 1)
        total = past.sum(1)
        mean = total / total.sum(-1, keepdim=True)
        return mean.clamp_min(1e-6).log(), (past,)


class FeatureMLP(SequenceHead):
    """An MLP over the last `window` features; zeros stand for frames before the first."""

    def __init__(
        self,
        feature_size: int,
        classes: int,
        *,
        hidden: int = 64,
        window: int = 10,
        grid: Sequence[int] | None = None,
    ) -> None:
        super().__init__(feature_size, classes)
        self.window = window
        self.hidden = hidden
        self.encode = _encoder(feature_size, hidden, grid)
        self.decide = nn.Sequential(
            nn.Linear(window * hidden, 2 * hidden), nn.ReLU(), nn.Linear(2 * hidden, classes)
        )

    def initial_state(self, batch: int) -> State:
        """(B, window, hidden) encoded features of the past."""
        return (self._zeros(batch, self.window, self.hidden),)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        self._check(feature, 2)
        past = torch.cat([state[0][:, 1:], self.encode(feature)[:, None]], 1)
        logits: Tensor = self.decide(past.flatten(1))
        return logits, (past,)


class FeatureGRU(SequenceHead):
    """A gated recurrent unit over the features (Cho et al. 2014)."""

    def __init__(
        self,
        feature_size: int,
        classes: int,
        *,
        hidden: int = 64,
        grid: Sequence[int] | None = None,
    ) -> None:
        super().__init__(feature_size, classes)
        self.hidden = hidden
        self.encode = _encoder(feature_size, hidden, grid)
        self.cell = nn.GRUCell(hidden, hidden)
        self.decide = nn.Linear(hidden, classes)

    def initial_state(self, batch: int) -> State:
        """(B, hidden) zeros."""
        return (self._zeros(batch, self.hidden),)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        self._check(feature, 2)
        memory = self.cell(self.encode(feature), state[0])
        logits: Tensor = self.decide(memory)
        return logits, (memory,)


class TraceGRU(SequenceHead):
    """A gated unit over the feature and how it differs from fading traces of itself.

    A trace is a running mean of the feature that follows it at some rate. Where something moved,
    feature and trace differ, in front of it and behind it, so a convolution over the grid reads the
    direction in the same way everywhere in the picture; the gated unit sums up over time.
    """

    rate: Tensor

    def __init__(
        self,
        feature_size: int,
        classes: int,
        *,
        grid: Sequence[int],
        hidden: int = 96,
        rates: Sequence[float] = (0.5, 0.25, 0.1),
    ) -> None:
        super().__init__(feature_size, classes)
        channels, height, width = grid
        stacked = channels * (1 + len(rates))
        self.hidden = hidden
        self.register_buffer("rate", torch.tensor(rates)[:, None])
        self.encode = _encoder(stacked * height * width, hidden, (stacked, height, width))
        self.cell = nn.GRUCell(hidden, hidden)
        self.decide = nn.Linear(hidden, classes)

    def initial_state(self, batch: int) -> State:
        """(B, K, F) traces, (B, 1, 1) whether a frame was seen, (B, hidden): all zeros."""
        traces = self._zeros(batch, len(self.rate), self.feature_size)
        return traces, self._zeros(batch, 1, 1), self._zeros(batch, self.hidden)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        self._check(feature, 2)
        traces, seen, memory = state
        stacked, traces = self._compare(feature, traces, seen)
        memory = self.cell(self.encode(stacked), memory)
        logits: Tensor = self.decide(memory)
        return logits, (traces, torch.ones_like(seen), memory)

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, F) -> logits (B, T, classes); all frames are encoded at once, for speed."""
        return self.decided(self.encode(self.compared(features).flatten(0, 1)), len(features))

    def decided(self, codes: Tensor, batch: int) -> Tensor:
        """(B * T, hidden) encoded comparisons -> logits (B, T, classes)."""
        codes = codes.reshape(batch, -1, self.hidden)
        memory = self._zeros(batch, self.hidden)
        memories = []
        for code in codes.unbind(1):
            memory = self.cell(code, memory)
            memories.append(memory)
        logits: Tensor = self.decide(torch.stack(memories, 1))
        return logits

    def compared(self, features: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, (1 + K) * F): features and their differences from the traces."""
        self._check(features, 3)
        traces, seen, _ = self.initial_state(features.shape[0])
        rows = []
        for feature in features.unbind(1):
            row, traces = self._compare(feature, traces, seen)
            seen = torch.ones_like(seen)
            rows.append(row)
        return torch.stack(rows, 1)

    def _compare(self, feature: Tensor, traces: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(B, (1 + K) * F): the feature and its differences from the traces; the traces after."""
        now = feature[:, None]
        traces = torch.where(seen > 0, traces, now)  # the first frame has not moved
        stacked = torch.cat([now, now - traces], 1).flatten(1)
        return stacked, traces + self.rate * (now - traces)


HEADS: dict[str, type[SequenceHead]] = {
    "gru": FeatureGRU,
    "trace_gru": TraceGRU,
    "mlp": FeatureMLP,
    "vote": FeatureVote,
}
