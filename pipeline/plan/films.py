"""What decoding costs, by the size of pictures: measured on films that are made on the spot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.lane import Lane
from pipeline.lanes.gate import MotionGateConfig
from pipeline.media.decode import Decoder
from pipeline.media.encode import Encoder
from pipeline.records import Frame, Window

RATE = 15
PRESET = "superfast"
FINE, COARSE = 24, 34
"""The quality (crf) of the two films of a size: so what bits cost is told from what pixels do."""
GRAIN = 3.0


class Packet(Protocol):
    """What is asked of a packet."""

    @property
    def size(self) -> int:
        """In bytes."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film of one size, made of the clip that ships."""

    path: Path
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Decoding:
    """In ms of processor time; `kbit` is what a frame of the better film had."""

    kbit: float
    frame_ms: float
    kbit_ms: float
    window_ms: dict[str, float]
    gate_ms: float


def pictures(clip: Path, size: tuple[int, int], frames: int) -> Iterator[NDArray[np.uint8]]:
    """The clip's pictures at that size, with the grain of a sensor."""
    draw = np.random.default_rng(0)
    width, height = size
    grain = draw.normal(0, GRAIN, (height, width, 1)).astype(np.int16)
    with Decoder(str(clip), media={"video"}) as decoder:
        for number, item in enumerate(decoder.items()):
            if number == frames:
                return
            assert isinstance(item, Frame)
            picture = item.pixels.rgb(*size).astype(np.int16)
            picture += np.roll(grain, int(draw.integers(width * height)))
            yield np.clip(picture, 0, 255).astype(np.uint8)


def make(clip: Path, path: Path, size: tuple[int, int], frames: int, quality: int) -> Film:
    """Writes a film; the good ones with the clip's sound, for they will be played."""
    sound = str(clip) if quality == FINE else None
    with Encoder(path, *size, Fraction(RATE), sound, preset=PRESET, crf=quality) as encoder:
        for number, picture in enumerate(pictures(clip, size, frames)):
            encoder.write(picture, Fraction(number, RATE))
    return Film(path, size)


def decoding(fine: Film, coarse: Film, lanes: Sequence[Lane]) -> Decoding:
    """What the pictures of two films of a size cost, which differ in quality alone."""
    (one, kbit), (other, less_kbit) = decoded(fine), decoded(coarse)
    kbit_ms = min(max(0.0, (one - other) / (kbit - less_kbit)), one / kbit)
    windows, gate_ms = scaling(coarse, lanes)
    return Decoding(kbit, one - kbit_ms * kbit, kbit_ms, windows, gate_ms)


def decoded(film: Film) -> tuple[float, float]:
    """The ms that a frame takes on average, nothing of it being looked at, and its kbit."""
    sizes: list[int] = []

    def heard(packet: Packet) -> bool:
        sizes.append(packet.size)
        return True

    began = time.thread_time()
    count = 0
    with Decoder(str(film.path), media={"video"}, heard=heard) as decoder:
        for _ in decoder.items():
            count += 1
    took = time.thread_time() - began
    return took * 1000 / count, sum(sizes) * 8 / 1000 / count


def scaling(film: Film, lanes: Sequence[Lane]) -> tuple[dict[str, float], float]:
    """What a sampled frame takes on top, for each lane's window, and for a look of a gate."""
    gate = MotionGateConfig().build()()
    took: dict[str, list[float]] = {lane.name: [] for lane in lanes if lane.medium == "video"}
    looks: list[float] = []
    with Decoder(str(film.path), media={"video"}) as decoder:
        for item in decoder.items():
            assert isinstance(item, Frame)
            for lane in lanes:
                if lane.name in took:
                    took[lane.name].append(_window_ms(lane, item))
            looks.append(timed(lambda item=item: gate.wants(item))[0])  # type: ignore[misc]
    return {name: float(np.median(times)) for name, times in took.items()}, float(np.median(looks))


def _window_ms(lane: Lane, frame: Frame) -> float:
    """One frame through a new windower: the first is always sampled."""
    windower = lane.make_windower("bench")
    took, windows = timed(lambda: list(windower.push(frame)))
    assert windows
    return took


def timed(work: Callable[[], list[Window] | bool]) -> tuple[float, list[Window] | bool]:
    """The ms of processor time that it took this thread, and what came of it."""
    began = time.thread_time()
    done = work()
    return (time.thread_time() - began) * 1000, done
