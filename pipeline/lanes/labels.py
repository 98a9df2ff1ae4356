"""Scores to label spans: the aggregator that the action and the sound lane share."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from models.card import Card, CheckpointError
from pipeline.config.base import Score, Seconds, StrictModel
from pipeline.records import Event, Failure, Prediction, Span
from pipeline.spans import Hysteresis, LabelSpan, SpanMaker

SILENT = frozenset({"background"})


class HysteresisConfig(StrictModel):
    """When a label starts and stops; what is left out comes from the checkpoint's card."""

    smooth_s: Seconds | None = None
    on: Score | None = None
    off: Score | None = None
    min_s: Seconds | None = None
    merge_s: Seconds | None = None

    def build(self, card: Card) -> Hysteresis:
        """The rule to use: this config over the card's `postprocessing` over plain defaults."""
        plain = {"smooth_s": 0.3, "on": 0.6, "off": 0.4, "min_s": 0.2, "merge_s": 0.3}
        tuned = {k: v for k, v in card.postprocessing.items() if k in plain}
        chosen = self.model_dump(exclude_none=True)
        try:
            return Hysteresis(**{**plain, **tuned, **chosen})
        except ValueError as error:
            message = f"{card.name}: {error}"
            raise CheckpointError(message) from error


class LabelAggregator:
    """Label spans of one stream as events; every step of the network lasts `step_s`.

    Without `step_s` a prediction holds one row that stands for the window's whole span.
    """

    def __init__(
        self, stream: str, lane: str, card: Card, rule: Hysteresis, step_s: Fraction | None = None
    ) -> None:
        self._stream = stream
        self._lane = lane
        self._card = card
        self._step = step_s
        self._maker = SpanMaker(card.labels, rule, SILENT)

    @property
    def watermark(self) -> Fraction | None:
        """No event that ends before this media time can still come; None before any push."""
        return self._maker.watermark

    def push(self, answer: Prediction | Failure) -> Iterator[Event]:
        """The events that these scores complete; a gap or a failed window ends what was open.

        What was open when a gate closed holds over the gated stretch: nothing changed in it.
        """
        if answer.mark.gated is not None:
            self.still(answer.mark.gated.end)
        if answer.mark.fresh or isinstance(answer, Failure):
            yield from self.flush()
        if isinstance(answer, Failure) or answer.scores is None:
            return
        span = answer.mark.span
        step = self._step or span.duration
        for number, row in enumerate(answer.scores):
            start = span.start + number * step
            if start >= span.end and number:
                break  # the padded tail of the last hop
            for found in self._maker.push(Span(start, min(start + step, span.end)), row):
                yield self._event(found)

    def still(self, until: Fraction) -> None:
        """Lets what is open hold until then at least."""
        self._maker.hold(until)

    def flush(self) -> Iterator[Event]:
        """The events that were still open."""
        for found in self._maker.flush():
            yield self._event(found)

    def _event(self, found: LabelSpan) -> Event:
        card = self._card
        return Event(
            self._stream, self._lane, found.span, found.label, found.score, card.name, card.sha256
        )
