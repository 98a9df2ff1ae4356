"""Fakes that ship: a scripted stream, three lanes without networks, a list for a sink.

The lanes are real `Lane` objects with factories that travel, so the whole spine runs on them,
local or on Ray, in moments. Use them to try out a sink, an engine or an aggregator of your own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from pipeline.lane import Lane
from pipeline.lanes.instances import InstanceAggregator
from pipeline.lanes.labels import LabelAggregator
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.windowing import Fit, FrameWindower, HopWindower, fit_exactly, fit_short_side
from pipeline.records import AudioChunk, Digest, Event, Frame, StreamInfo
from pipeline.run.job import StreamResult
from pipeline.spans import Hysteresis
from pipeline.testing_predictors import (
    SOUND_HZ,
    STEP_S,
    BlobPredictor,
    BrightnessPredictor,
    FailingPredictor,
    LoudnessPredictor,
)

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
