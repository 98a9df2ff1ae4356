"""`annotated.mp4`: the clip with what was seen and heard drawn in, with its own sound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.media.decode import Decoder
from pipeline.media.encode import Encoder
from pipeline.records import Event, Frame, StreamInfo
from pipeline.sinks.drawing import Shape, draw_band, draw_shapes, draw_time, shape_of
from pipeline.sinks.instants import Instant, instants
from pipeline.sinks.palette import label_colours

_RATE_IF_UNKNOWN = Fraction(25)


def render_overlay(
    source: str,
    info: StreamInfo,
    events: Iterable[Event],
    out: Path,
    *,
    on_progress: Callable[[Fraction], None] | None = None,
) -> None:
    """Writes `out`, whole or not at all; a source that shows no picture writes nothing.

    Decodes the source a second time. A mask is held until the next analysed frame, at most half
    a second, so between two analysed frames it trails what it marks. Events are kept with their
    masks as run lengths; only the masks on show are decoded. `on_progress` gets media time.
    """
    if info.video is None:
        return
    rate = info.video.rate_from_header or _RATE_IF_UNKNOWN
    size = (info.video.width, info.video.height)
    scene = Scene(events, size)
    with Decoder(source, info.stream, media={"video"}) as decoder:
        frames = (item for item in decoder.items() if isinstance(item, Frame))
        first = next(frames, None)
        if first is None:
            return
        with Encoder(out, *size, rate, audio_from=source if info.audio else None) as encoder:
            for frame in chain([first], frames):
                picture = np.array(frame.pixels.rgb(*size))
                scene.draw(picture, frame.span.start)
                encoder.write(picture, frame.span.start)
                if on_progress is not None:
                    on_progress(frame.span.end)


class Scene:
    """What holds at a media time that never runs backwards, drawn into pictures of one size."""

    def __init__(self, events: Iterable[Event], size: tuple[int, int]) -> None:
        everything = list(events)
        self._size = size
        self._colours = label_colours(event.label for event in everything)
        self._moments = deque(instants(everything))
        spans = (event for event in everything if event.instance is None)
        self._spans = deque(sorted(spans, key=lambda one: (one.span.start, one.lane, one.label)))
        self._shown: dict[str, tuple[Instant, list[Shape]]] = {}
        self._holding: list[Event] = []

    def draw(self, picture: NDArray[np.uint8], time: Fraction) -> None:
        """Draws what holds at `time` into `picture`, which is changed."""
        self._advance(time)
        for _, shapes in self._shown.values():
            draw_shapes(picture, shapes)
        holding = sorted(self._holding, key=lambda one: (one.lane, one.span.start))
        draw_band(picture, holding, self._colours)
        draw_time(picture, time)

    def _advance(self, time: Fraction) -> None:
        latest: dict[str, Instant] = {}
        while self._moments and self._moments[0].span.start <= time:
            moment = self._moments.popleft()
            latest[moment.lane] = moment
        for lane, moment in latest.items():
            shapes = [
                shape_of(one.instance, self._colours[one.instance.label], *self._size)
                for one in moment.seen
            ]
            self._shown[lane] = (moment, shapes)
        self._shown = {lane: held for lane, held in self._shown.items() if time < held[0].span.end}
        while self._spans and self._spans[0].span.start <= time:
            self._holding.append(self._spans.popleft())
        self._holding = [event for event in self._holding if time < event.span.end]
