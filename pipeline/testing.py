"""Fakes that ship: a scripted stream, three lanes without networks, a list for a sink.

The lanes are real `Lane` objects with factories that travel, so the whole spine runs on them,
local or on Ray, in moments. Use them to try out a sink, an engine or an aggregator of your own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from pipeline.lane import Lane, Predictor, Stateless
from pipeline.lanes.instances import InstanceAggregator
from pipeline.lanes.labels import LabelAggregator
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.windowing import Fit, FrameWindower, HopWindower, fit_exactly, fit_short_side
from pipeline.masks import encode
from pipeline.records import (
    AudioChunk,
    Digest,
    Event,
    Frame,
    InstanceMask,
    Prediction,
    StreamInfo,
    Window,
)
from pipeline.run.job import StreamResult
from pipeline.spans import Hysteresis

SOUND_HZ = 8000
STEP_S = Fraction(1, 20)
PLAIN = Hysteresis(smooth_s=0.0, on=0.5, off=0.5, min_s=0.0, merge_s=0.0)


@dataclass(frozen=True, slots=True)
class ArrayPixels:
    """A picture (H, W, 3) uint8 RGB in memory, as `Pixels`."""

    image: NDArray[np.uint8]

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.image.shape[0])

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width, 3), scaled by area."""
        import cv2

        scaled = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(scaled, np.uint8)

    def luma(self, least_px: int) -> NDArray[np.uint8]:
        """(h, w) brightness, halved while it stays at least `least_px` across."""
        import cv2

        from pipeline.media.pixels import halved

        return halved(np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)), least_px)


def scripted_frames(
    images: Sequence[NDArray[np.uint8]], rate_hz: Fraction, start: Fraction = Fraction(0)
) -> Iterator[Frame]:
    """One frame for each image, evenly spaced from `start` (whole frames) on."""
    first = start * rate_hz
    for index, image in enumerate(images):
        yield Frame(index, math.floor(first) + index, 1, 1 / rate_hz, ArrayPixels(image))


def scripted_sound(
    samples: NDArray[np.float32],
    sample_rate: int,
    sizes: Sequence[int],
    origin: Fraction = Fraction(0),
) -> Iterator[AudioChunk]:
    """Mono `samples` (n,) as one unbroken run, in chunks of the given sizes and then the rest."""
    first = 0
    for size in [*sizes, samples.size]:
        part = samples[first : first + size]
        if part.size:
            yield AudioChunk(origin, first, sample_rate, part[None])
        first += part.size


def plain_card(network: str, labels: Sequence[str]) -> Card:
    """A card for what has no weights."""
    return Card(f"plain-{network}", network, tuple(labels), {}, {}, sha256="0" * 64)


def brightness_lane(name: str = "brightness", *, rate_hz: float = 10.0, batch: int = 4) -> Lane:
    """Watches: `dark` or `bright` by the mean of the picture. Without state, so not pinned."""
    card = plain_card("brightness", ("dark", "bright"))
    return Lane(
        name=name,
        medium="video",
        pinned=False,
        batch=batch,
        make_windower=partial(_windower, name, rate_hz, fit_exactly(16, 12)),
        make_predictor=BrightnessPredictor,
        make_aggregator=partial(LabelAggregator, lane=name, card=card, rule=PLAIN),
        card=card,
    )


def blob_lane(name: str = "blobs", *, rate_hz: float = 10.0, batch: int = 2) -> Lane:
    """Watches: every bright patch of the picture, with its mask, box and track."""
    card = plain_card("blobs", ("blob",))
    return Lane(
        name=name,
        medium="video",
        pinned=False,
        batch=batch,
        make_windower=partial(_windower, name, rate_hz, fit_short_side(48)),
        make_predictor=BlobPredictor,
        make_aggregator=partial(InstanceAggregator, lane=name, card=card, rate_hz=rate_hz),
        card=card,
    )


def loudness_lane(name: str = "loudness", *, hop_s: float = 0.25, batch: int = 4) -> Lane:
    """Listens: `quiet` or `loud` by a level that decays; it keeps state, so it is pinned."""
    card = plain_card("loudness", ("quiet", "loud"))
    return Lane(
        name=name,
        medium="audio",
        pinned=True,
        batch=batch,
        make_windower=partial(_sound_windower, name, round(hop_s * SOUND_HZ)),
        make_predictor=LoudnessPredictor,
        make_aggregator=partial(LabelAggregator, lane=name, card=card, rule=PLAIN, step_s=STEP_S),
        card=card,
    )


def failing_lane(lane: Lane, every: int) -> Lane:
    """The same lane, but each `every`-th window of a stream cannot be answered."""
    return replace(lane, make_predictor=partial(FailingPredictor, lane.make_predictor, every))


def _windower(lane: str, rate_hz: float, fit: Fit, stream: str) -> FrameWindower:
    return FrameWindower(stream, lane, RateSampler(rate_hz), fit)


def _sound_windower(lane: str, hop_samples: int, stream: str) -> HopWindower:
    from pipeline.media.audio import Resampler

    return HopWindower(stream, lane, Resampler(SOUND_HZ), SOUND_HZ, hop_samples)


class BrightnessPredictor(Stateless):
    """The mean of a picture, 0..1, as the score of `bright`."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(1, 2) scores a window."""
        means = [float(window.data.mean()) / 255 for window in windows]
        return [
            Prediction(window.mark, scores=np.array([[1 - mean, mean]], np.float32))
            for window, mean in zip(windows, means, strict=True)
        ]


class LoudnessPredictor:
    """A level that follows the sound and decays, one stream's state for each stream."""

    def __init__(self) -> None:
        self._levels: dict[str, float] = {}

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(K, 2) scores a window, one row for every `STEP_S`."""
        return [Prediction(window.mark, scores=self._scores(window)) for window in windows]

    def forget(self, stream: str) -> None:
        """Drops the level of a stream that has ended."""
        self._levels.pop(stream, None)

    def remember(self) -> dict[str, Any]:
        """The levels by stream."""
        return dict(self._levels)

    def recall(self, known: dict[str, Any]) -> None:
        """Goes on from these levels."""
        self._levels = dict(known)

    def _scores(self, window: Window) -> NDArray[np.float32]:
        mark = window.mark
        level = 0.0 if mark.fresh else self._levels.get(mark.stream, 0.0)
        rows = []
        for part in window.data.reshape(-1, int(STEP_S * SOUND_HZ)):
            level = max(0.5 * level, min(1.0, 4 * float(np.sqrt(np.mean(part**2)))))
            rows.append([1 - level, level])
        self._levels[mark.stream] = level
        return np.array(rows, np.float32)


class BlobPredictor(Stateless):
    """Connected bright patches of at least 4 px, largest first."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """The patches of each window; boxes in px of the source frame."""
        return [Prediction(window.mark, instances=self._blobs(window)) for window in windows]

    def _blobs(self, window: Window) -> tuple[InstanceMask, ...]:
        import cv2

        height, width = window.data.shape[:2]
        wide, high = window.mark.size or (width, height)
        bright = (window.data.min(axis=2) > 200).astype(np.uint8)
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(bright)
        found = []
        for number, (left, top, across, down, count) in enumerate(stats.tolist()):
            if number == 0 or count < 4:
                continue
            box = (
                left * wide / width,
                top * high / height,
                (left + across) * wide / width,
                (top + down) * high / height,
            )
            scaled = cv2.resize((numbers == number).astype(np.uint8), (wide, high))
            score = count / (across * down)
            found.append(InstanceMask("blob", score, box, encode(scaled.astype(bool))))
        return tuple(sorted(found, key=lambda blob: (-blob.score, blob.box)))


class FailingPredictor:
    """Another predictor, but it raises on each `every`-th window of a stream."""

    def __init__(self, make: Callable[[], Predictor], every: int) -> None:
        self._inner = make()
        self._every = every

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """What the other one says; ArithmeticError when a window's turn has come."""
        for window in windows:
            if window.mark.index % self._every == self._every - 1:
                message = f"window {window.mark.index} fails on purpose"
                raise ArithmeticError(message)
        return self._inner.predict(windows)

    def forget(self, stream: str) -> None:
        """Passes it on."""
        self._inner.forget(stream)

    def remember(self) -> Any:
        """Passes it on."""
        return self._inner.remember()

    def recall(self, known: Any) -> None:
        """Passes it on."""
        self._inner.recall(known)


@dataclass(slots=True)
class ListSink:
    """Keeps events in a list; says whether it was closed or abandoned."""

    events: list[Event] = field(default_factory=list)
    closed: bool = False
    abandoned: bool = False

    def write(self, event: Event) -> None:
        """Adds one event."""
        self.events.append(event)

    def close(self) -> None:
        """Remembers it."""
        self.closed = True

    def abandon(self) -> None:
        """Forgets every event."""
        self.events.clear()
        self.abandoned = True


@dataclass(slots=True)
class ListWatcher:
    """Keeps all that a watcher is told."""

    infos: dict[str, StreamInfo] = field(default_factory=dict)
    idle: dict[str, list[str]] = field(default_factory=dict)
    positions: dict[str, list[Fraction]] = field(default_factory=dict)
    digests: list[Digest] = field(default_factory=list)
    results: dict[str, StreamResult] = field(default_factory=dict)

    def opened(self, info: StreamInfo, idle: Sequence[str]) -> None:
        """Keeps the header."""
        self.infos[info.stream] = info
        self.idle[info.stream] = list(idle)
        self.positions[info.stream] = []

    def reached(self, stream: str, position: Fraction) -> None:
        """Keeps the position."""
        self.positions[stream].append(position)

    def found(self, digests: Sequence[Digest]) -> None:
        """Keeps the digests."""
        self.digests.extend(digests)

    def closed(self, result: StreamResult) -> None:
        """Keeps the result."""
        self.results[result.source.stream] = result
