"""Two more sequence heads that clips are read with: an LSTM, and the last feature alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from models.sequence import FeatureGRU, SequenceHead, State


class FeatureLSTM(FeatureGRU):
    """Long short-term memory over the features (Hochreiter and Schmidhuber 1997)."""

    def __init__(
        self,
        feature_size: int,
        classes: int,
        *,
        hidden: int = 64,
        grid: Sequence[int] | None = None,
    ) -> None:
        super().__init__(feature_size, classes, hidden=hidden, grid=grid)
        del self.cell
        self.lstm = nn.LSTMCell(hidden, hidden)

    def initial_state(self, batch: int) -> State:
        """Two (B, hidden) of zeros: what is put out and what is kept."""
        return self._zeros(batch, self.hidden), self._zeros(batch, self.hidden)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        self._check(feature, 2)
        shown, kept = self.lstm(self.encode(feature), (state[0], state[1]))
        logits: Tensor = self.decide(shown)
        return logits, (shown, kept)


class Latest(SequenceHead):
    """The last feature decides alone, for features that tell of a whole clip."""

    def __init__(self, feature_size: int, classes: int) -> None:
        super().__init__(feature_size, classes)
        self.decide = nn.Linear(feature_size, classes)

    def initial_state(self, batch: int) -> State:
        """Nothing: () for any batch."""
        del batch
        return ()

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) -> logits (B, classes); the state stays empty."""
        self._check(feature, 2)
        logits: Tensor = self.decide(feature)
        return logits, state
