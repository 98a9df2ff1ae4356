"""From logits per hop to events, and how many planted events are found: the recipe's own measure.

The sound lane does the same on live streams; this is the reference by which the recipe chooses
the thresholds that go on the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.sound_mix import Planted

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Postprocessing:
    """How scores become events: seconds, and scores from 0 to 1 with `off` not above `on`."""

    smooth_s: float
    on: float
    off: float
    min_s: float
    merge_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """How planted events were found; a hit has the right label and an onset within 0.5 s."""

    planted: int
    hits: int
    events: int

    @property
    def recall(self) -> float:
        """The share of the planted events that were hit."""
        return self.hits / max(1, self.planted)

    @property
    def precision(self) -> float:
        """The share of the events that were hits."""
        return self.hits / max(1, self.events)

    @property
    def f1(self) -> float:
        """The harmonic mean of recall and precision."""
        return 2 * self.hits / max(1, self.planted + self.events)

    def __add__(self, other: Found) -> Found:
        return Found(
            self.planted + other.planted, self.hits + other.hits, self.events + other.events
        )


def softmax(logits: NDArray[np.floating]) -> Scores:
    """(hops, classes) logits -> scores that sum to 1 in every row."""
    shifted = np.exp(np.asarray(logits, np.float64) - logits.max(axis=1, keepdims=True))
    scores: Scores = shifted / shifted.sum(axis=1, keepdims=True)
    return scores


def smoothed(scores: Scores, hops: int) -> Scores:
    """The mean of every row with the `hops - 1` rows before it; fewer at the start."""
    sums = np.concatenate((np.zeros((1, scores.shape[1])), scores.cumsum(axis=0)))
    ends = np.arange(1, len(scores) + 1)
    starts = np.maximum(0, ends - max(1, hops))
    mean: Scores = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
    return mean


def events(
    logits: NDArray[np.floating], labels: Sequence[str], hop_s: float, rules: Postprocessing
) -> list[Planted]:
    """The events in (hops, classes) logits, by start; label 0, the background, makes none."""
    scores = smoothed(softmax(logits), round(rules.smooth_s / hop_s))
    found: list[Planted] = []
    for column, label in enumerate(labels[1:], start=1):
        spans = _merged(list(_hysteresis(scores[:, column], rules)), round(rules.merge_s / hop_s))
        for start, end in spans:
            if (end - start) * hop_s >= rules.min_s - 1e-9:
                found.append(Planted(start * hop_s, end * hop_s, label))
    return sorted(found, key=lambda event: (event.start_s, event.label))


def _hysteresis(scores: Scores, rules: Postprocessing) -> Iterator[tuple[int, int]]:
    """Half-open runs of hops that start at `on` or more and last while `off` or more."""
    start = None
    for hop, score in enumerate(scores):
        if start is None and score >= rules.on:
            start = hop
        elif start is not None and score < rules.off:
            yield start, hop
            start = None
    if start is not None:
        yield start, len(scores)


def _merged(spans: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Spans with those joined that are at most `gap` hops apart."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def match(found: Sequence[Planted], planted: Sequence[Planted], within_s: float = 0.5) -> Found:
    """How many planted events have an event of their own: same label, onset within `within_s`."""
    free, hits = list(found), 0
    for truth in planted:
        fits = [
            event
            for event in free
            if event.label == truth.label and abs(event.start_s - truth.start_s) <= within_s
        ]
        if fits:
            free.remove(min(fits, key=lambda event: abs(event.start_s - truth.start_s)))
            hits += 1
    return Found(len(planted), hits, len(found))
