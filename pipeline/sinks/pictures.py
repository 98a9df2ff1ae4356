"""The few pictures that a report keeps: which moments deserve one, and how they are encoded."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.records import Event
from pipeline.sinks.instants import Instant, Seen

MOST_PICTURES = 120
WIDEST_PX = 720
_QUALITIES = (82, 74, 66, 58, 50, 42, 34)
_ROOM_FOR_BETTER = 0.8


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as a JPEG `data:` address; `time` is when its frame starts."""

    time: Fraction
    width: int
    height: int
    address: str


def worth_a_picture(
    moments: Sequence[Instant],
    spans: Sequence[Event],
    duration: Fraction,
    shortest: Fraction = Fraction(0),
    most: int = MOST_PICTURES,
) -> list[Fraction]:
    """At most `most` media times, ascending: every track's best, every span's middle, then even.

    A time at which something was seen is preferred to one nearby, so that masks lie on the frame
    they were found in. The even ones are at least `shortest`, the length of a frame, apart.
    """
    starts = [moment.span.start for moment in moments]
    chosen: set[Fraction] = set()
    for time in _thinned(_best_of_tracks(moments), most // 3):
        chosen.add(time)
    middles = [(event.span.start + event.span.end) / 2 for event in spans]
    for time in _thinned(middles, most // 3):
        chosen.add(_snapped(time, starts, Fraction(1, 4)))
    step = max(duration / max(1, most - len(chosen)), shortest, Fraction(1, 1000))
    grid = (number * step for number in range(most))
    for time in grid:
        if len(chosen) >= most or (chosen and time >= duration):
            break
        chosen.add(_snapped(time, starts, step / 2))
    unseen = [start for start in sorted(set(starts)) if start not in chosen]
    return sorted(chosen.union(_thinned(unseen, most - len(chosen))))


def encoded(
    pictures: Iterable[tuple[Fraction, NDArray[np.uint8]]], count: int, budget_bytes: int
) -> Iterator[Encoded]:
    """The pictures as JPEG, in order; stops when the budget is spent.

    Each gets an equal share of what is left of the budget for `count` pictures, and the highest
    quality that fits its share.
    """
    left, step = budget_bytes, 0
    for number, (time, picture) in enumerate(islice(pictures, count)):
        share = left // (count - number)
        data = jpeg(picture, _QUALITIES[step])
        while len(data) > share and step + 1 < len(_QUALITIES):
            step += 1
            data = jpeg(picture, _QUALITIES[step])
        left -= len(data)
        if left < 0:
            return
        yield Encoded(time, picture.shape[1], picture.shape[0], address_of(data))
        if step and len(data) < share * _ROOM_FOR_BETTER:
            step -= 1


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """An RGB or grey picture as JPEG."""
    turned = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    written, data = cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not written:
        message = f"a picture of {picture.shape} cannot be written as JPEG"
        raise ValueError(message)
    return data.tobytes()


def address_of(data: bytes) -> str:
    """JPEG bytes as an address that needs no network."""
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")


def _best_of_tracks(moments: Sequence[Instant]) -> list[Fraction]:
    best: dict[tuple[str, str, int | None], tuple[float, Fraction]] = {}
    for moment in moments:
        for one in moment.seen:
            key = track_key(one)
            if key not in best or one.instance.score > best[key][0]:
                best[key] = (one.instance.score, moment.span.start)
    return sorted({time for _, time in best.values()})


def track_key(one: Seen) -> tuple[str, str, int | None]:
    """What makes observations one row of the report: lane, label and track id."""
    return one.event.lane, one.instance.label, one.instance.track_id


def _thinned(times: list[Fraction], most: int) -> list[Fraction]:
    if len(times) <= most:
        return times
    return [times[number * len(times) // most] for number in range(most)]


def _snapped(time: Fraction, starts: list[Fraction], reach: Fraction) -> Fraction:
    """The nearest of the ascending `starts` within `reach`, or the time itself."""
    after = bisect_right(starts, time)
    near = starts[max(0, after - 1) : after + 1]
    nearest = min(near, key=lambda start: abs(start - time), default=time)
    return nearest if abs(nearest - time) <= reach else time
