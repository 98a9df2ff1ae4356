"""The three parts of a lane, as protocols, and the lane that names them.

All parts are passive: they start no thread, read no clock, import no Ray. They own their state,
are not thread-safe, raise instead of returning a sentinel, and are flushed exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from models.card import Card
from pipeline.records import AudioChunk, Event, Failure, Frame, Gap, Medium, Prediction, Window


class Windower(Protocol):
    """Cuts what is decoded of one stream into windows; also says what it left out."""

    @property
    def pending_units(self) -> int:
        """Frames or samples taken in but not yet accounted for by a window."""

    @property
    def not_sampled(self) -> int:
        """Frames or samples that no window will ever hold, by plan, so far."""

    def push(self, item: Frame | AudioChunk | Gap) -> Iterable[Window]:
        """The windows that this item completes, often none."""

    def flush(self) -> Iterable[Window]:
        """The last windows; afterwards `pending_units` is 0."""


class Predictor(Protocol):
    """Answers windows, many streams at once."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """One prediction a window, in the same order."""

    def forget(self, stream: str) -> None:
        """Drops what is cached for a stream that has ended; unknown streams are fine."""


class Aggregator(Protocol):
    """Turns the predictions of one stream, in order, into events."""

    @property
    def watermark(self) -> Fraction | None:
        """No event that ends before this media time can still come; None before any push."""

    def push(self, answer: Prediction | Failure) -> Iterable[Event]:
        """The events that this answer completes, in order of their ends."""

    def flush(self) -> Iterable[Event]:
        """The events that were still open when the stream ended."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to watch or listen: `window -> predict -> aggregate`, by factories that travel.

    A `pinned` lane's predictor keeps state per stream, so all windows of a stream go, in order,
    to the same pool member. `batch` is how many windows one call of the network holds. `card` is
    what the weights say of themselves, for the records.
    """

    name: str
    medium: Medium
    pinned: bool
    batch: int
    make_windower: Callable[[str], Windower]
    make_predictor: Callable[[], Predictor]
    make_aggregator: Callable[[str], Aggregator]
    card: Card
