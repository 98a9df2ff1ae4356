"""The three parts of a lane, as protocols, and the lane that names them.

All parts are passive: they start no thread, read no clock, import no Ray. They own their state,
are not thread-safe, raise instead of returning a sentinel, and are flushed exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from models.card import Card
from pipeline.records import (
    Event,
    Failure,
    Feature,
    Frame,
    Item,
    Medium,
    Prediction,
    Span,
    Window,
)


class Gate(Protocol):
    """Decides which sampled frames of one stream are worth a network's time."""

    def wants(self, frame: Frame) -> bool:
        """True when something changes in it, or lately did, or it is time for a heartbeat.

        Asked once for every sampled frame, in order, whatever becomes of the frame.
        """


class Windower(Protocol):
    """Cuts what is decoded of one stream into windows; also says what it left out."""

    @property
    def pending_units(self) -> int:
        """Frames or samples taken in but not yet accounted for by a window."""

    @property
    def not_sampled(self) -> int:
        """Frames or samples that no window will ever hold, by plan, so far."""

    @property
    def gated(self) -> int:
        """Frames that a gate has withheld so far, because nothing changed in them."""

    @property
    def gated_span(self) -> Span | None:
        """The latest stretch in which a gate let through no more than heartbeats, so far."""

    @property
    def dropped(self) -> Mapping[str, int]:
        """Frames or samples given up so far because of overload, by reason."""

    def set_level(self, level: int) -> None:
        """Sheds load: of what is sampled, one in 2^`level` is kept; 0 keeps all.

        A lane whose network must hear everything ignores it.
        """

    def push(self, item: Item) -> Iterable[Window]:
        """The windows that this item completes, often none."""

    def flush(self) -> Iterable[Window]:
        """The last windows; afterwards `pending_units` is 0."""


class Predictor(Protocol):
    """Answers windows, many streams at once."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """One prediction a window, in the same order."""

    def forget(self, stream: str) -> None:
        """Drops what is cached for a stream that has ended; unknown streams are fine."""

    def remember(self) -> Any:
        """What is cached for all streams, to be pickled; a later call must not change it."""

    def recall(self, known: Any) -> None:
        """Takes over what another predictor of this lane remembered."""


class TwoStepPredictor(Predictor, Protocol):
    """Answers in two steps: a heavy one without memory, and a cheap one that goes in order.

    So the first step of a long stream may run anywhere, in any order; the answers are the same.
    """

    def see(self, windows: Sequence[Window]) -> list[Feature]:
        """One feature a window, in the same order; keeps nothing of any stream."""

    def follow(self, features: Sequence[Feature]) -> list[Prediction]:
        """One prediction a feature; the features of a stream come in order."""


class Stateless:
    """For predictors that keep nothing of any stream: what they have to say about it."""

    def forget(self, stream: str) -> None:
        """Nothing: no state is kept."""

    def remember(self) -> None:
        """Nothing: no state is kept."""

    def recall(self, known: None) -> None:
        """Nothing: no state is kept."""


class Aggregator(Protocol):
    """Turns the predictions of one stream, in order, into events."""

    @property
    def watermark(self) -> Fraction | None:
        """No event that ends before this media time can still come; None before any push."""

    def push(self, answer: Prediction | Failure) -> Iterable[Event]:
        """The events that this answer completes, in order of their ends."""

    def still(self, until: Fraction) -> None:
        """Learns that nothing changed up to `until`: a gate withheld what came after the last push.

        What is open holds until then at least. It may be told late, or never.
        """

    def flush(self) -> Iterable[Event]:
        """The events that were still open when the stream ended."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A way to watch or listen: `window -> predict -> aggregate`, by factories that travel.

    A `pinned` lane's predictor keeps state per stream, so all windows of a stream go, in order,
    to the same pool member. `batch` is how many windows one call of the network holds. `card` is
    what the weights say of themselves, for the records. `warm_s` is for how long after a beginning
    its answers lack what came before: the network's reach back in time. Of a `divisible` lane the
    heavy part keeps nothing between windows: it is stateless, or a `TwoStepPredictor`, and no gate
    chooses by what it has seen; so a long stream may be cut anywhere, with the same answers.
    With `vectors` its gate goes by motion vectors, which a decoder keeps only when it is told to.
    `runtime` and `device` say what executes its network, for people.
    """

    name: str
    medium: Medium
    pinned: bool
    batch: int
    make_windower: Callable[[str], Windower]
    make_predictor: Callable[[], Predictor]
    make_aggregator: Callable[[str], Aggregator]
    card: Card
    warm_s: float = 0.0
    divisible: bool = False
    vectors: bool = False
    runtime: str = ""
    device: str = ""
