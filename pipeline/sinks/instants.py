"""What was seen at each analysed moment, and for how long it may be shown afterwards.

Instances are analysed every n-th frame. Between two analysed frames the last answer is all that
is known; it is held until the next one, and never for longer than half a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median

from pipeline.records import Event, InstanceMask, Span

LONGEST_HOLD_S = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Seen:
    """One event that carries an instance, with the instance at hand."""

    event: Event
    instance: InstanceMask


@dataclass(frozen=True, slots=True)
class Instant:
    """All that one lane saw in one analysed frame; `span` is how long that stands."""

    lane: str
    span: Span
    seen: tuple[Seen, ...]


def instants(events: Iterable[Event]) -> list[Instant]:
    """The analysed moments that saw something, by start then lane; other events are ignored.

    A moment stands until the next one of its lane. An empty frame leaves no event, so when the
    next is further off than the usual step, the moment stands for one usual step only.
    """
    lanes: dict[str, dict[Fraction, list[Seen]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event.instance is not None:
            lanes[event.lane][event.span.start].append(Seen(event, event.instance))
    out = [moment for lane, seen in lanes.items() for moment in _of_lane(lane, seen)]
    return sorted(out, key=lambda moment: (moment.span.start, moment.lane))


def _of_lane(lane: str, seen: dict[Fraction, list[Seen]]) -> list[Instant]:
    starts = sorted(seen)
    steps = [after - before for before, after in pairwise(starts)]
    step = min(median(steps), LONGEST_HOLD_S) if steps else Fraction(0)
    out = []
    for number, start in enumerate(starts):
        shown = max(one.event.span.end for one in seen[start])
        end = max(shown, start + step)
        if number + 1 < len(starts) and starts[number + 1] - start <= step * Fraction(3, 2):
            end = starts[number + 1]
        end = min(end, start + LONGEST_HOLD_S)
        if number + 1 < len(starts):
            end = min(end, starts[number + 1])
        out.append(Instant(lane, Span(start, end), tuple(seen[start])))
    return out
