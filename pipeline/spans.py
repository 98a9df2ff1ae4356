"""From scores over time to labelled spans: smoothing, hysteresis, minimum length, merged gaps.

Pure and causal: what is said of time t uses no score after t.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipeline.records import Span


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """When a label starts and stops, in smoothed score (0..1) and seconds.

    A label opens at `on`, closes below `off`, counts from `min_s`, and two spans of it that are
    at most `merge_s` apart are one. `smooth_s` is the length of the running mean before all that.
    """

    smooth_s: float
    on: float
    off: float
    min_s: float
    merge_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.off <= self.on <= 1:
            message = f"hysteresis needs 0 <= off <= on <= 1, not off={self.off}, on={self.on}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class LabelSpan:
    """A stretch in which one label held; `score` is the highest smoothed score in it."""

    span: Span
    label: str
    score: float


@dataclass(slots=True)
class _Open:
    start: Fraction
    score: float
    end: Fraction | None = None  # set once the score fell; the span may still be merged


class SpanMaker:
    """Labelled spans from rows of scores, one row for each stretch of time, in order.

    Labels in `silent` (background) never make a span. Spans of different labels may overlap.
    """

    def __init__(
        self, labels: Sequence[str], rule: Hysteresis, silent: frozenset[str] = frozenset()
    ) -> None:
        self._labels = tuple(labels)
        self._heard = [n for n, label in enumerate(self._labels) if label not in silent]
        self._rule = rule
        self._merge = Fraction(rule.merge_s).limit_denominator(1_000_000)
        self._smooth = Fraction(rule.smooth_s).limit_denominator(1_000_000)
        self._min = Fraction(rule.min_s).limit_denominator(1_000_000)
        self._recent: deque[tuple[Fraction, NDArray[np.float64]]] = deque()
        self._open: dict[int, _Open] = {}
        self._now: Fraction | None = None

    @property
    def watermark(self) -> Fraction | None:
        """No span that ends before this time can still come; None before the first row."""
        if self._now is None:
            return None
        ends = [held.end for held in self._open.values() if held.end is not None]
        return min([self._now, *ends])

    def push(self, span: Span, scores: NDArray[np.floating]) -> Iterator[LabelSpan]:
        """The spans that are certain once `scores` (one per label, 0..1) hold for `span`."""
        if scores.shape != (len(self._labels),):
            message = f"{len(self._labels)} labels need as many scores, not {scores.shape}"
            raise ValueError(message)
        smoothed = self._smoothed(span, scores)
        for number in self._heard:
            held = self._open.get(number)
            score = float(smoothed[number])
            if held is None:
                if score >= self._rule.on:
                    self._open[number] = _Open(span.start, score)
            elif held.end is None:
                held.score = max(held.score, score)
                if score < self._rule.off:
                    held.end = span.start
            elif score >= self._rule.on and span.start - held.end <= self._merge:
                held.end = None
                held.score = max(held.score, score)
            elif span.end - held.end > self._merge:
                yield from self._close(number)
                if score >= self._rule.on:
                    self._open[number] = _Open(span.start, score)
        self._now = span.end

    def hold(self, until: Fraction) -> None:
        """Lets what is open hold until then at least; no row will come for the time before."""
        if self._now is not None:
            self._now = max(self._now, until)

    def flush(self) -> Iterator[LabelSpan]:
        """What was still open, ended now; the next row starts from nothing (after a gap, say)."""
        for number in sorted(self._open):
            if self._open[number].end is None:
                self._open[number].end = self._now
            yield from self._close(number)
        self._recent.clear()

    def _smoothed(self, span: Span, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        self._recent.append((span.end, scores.astype(np.float64)))
        while len(self._recent) > 1 and self._recent[0][0] <= span.end - self._smooth:
            self._recent.popleft()
        mean: NDArray[np.float64] = np.mean([row for _, row in self._recent], axis=0)
        return mean

    def _close(self, number: int) -> Iterator[LabelSpan]:
        held = self._open.pop(number)
        end = held.end if held.end is not None else held.start
        if end - held.start >= self._min and end > held.start:
            yield LabelSpan(Span(held.start, end), self._labels[number], held.score)
