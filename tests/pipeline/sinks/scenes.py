"""Made events for the pictures: a disc that wanders, sounds, actions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline import masks
from pipeline.records import Event, InstanceMask, Span

SHA = "0123456789abcdef" * 4


def disc(x: int, y: int, radius: int, width: int, height: int) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def seen(
    start: Fraction,
    length: Fraction = Fraction(1, 25),
    *,
    track_id: int | None = 1,
    label: str = "person",
    at: tuple[int, int] = (40, 32),
    size: tuple[int, int] = (96, 64),
    score: float = 0.9,
    radius: int = 10,
) -> Event:
    mask = disc(*at, radius, *size)
    x, y = at
    box = (float(x - radius), float(y - radius), float(x + radius + 1), float(y + radius + 1))
    instance = InstanceMask(label, score, box, masks.encode(mask), track_id)
    span = Span(start, start + length)
    return Event("made", "instances", span, label, score, "disc_finder", SHA, instance)


def labelled(lane: str, start: Any, end: Any, label: str, score: float = 0.8) -> Event:
    span = Span(Fraction(start), Fraction(end))
    return Event("made", lane, span, label, score, f"{lane}_net", SHA[::-1])


def street() -> list[Event]:
    """Two seconds at 25 Hz: two discs on every second frame, a sound, two actions."""
    events = [
        seen(Fraction(n, 25), track_id=track, at=(20 + n + 10 * track, 20 + 20 * track))
        for n in range(0, 50, 2)
        for track in (0, 1)
        if not (track == 1 and n < 20)
    ]
    events += [
        labelled("sound", "1/2", "6/5", "alarm", 0.97),
        labelled("action", 0, 1, "standing"),
        labelled("action", 1, 2, "walking"),
    ]
    return sorted(events, key=lambda event: event.span.end)
