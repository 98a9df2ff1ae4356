"""Clips whose every frame tells its number and every second its pitch, and the clock they run by.

A live server plays such a clip round and round by the wall clock: at `epoch` it shows frame 0, and
after any outage it goes on where it would have been. So the truth about a moment needs no record.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.live import barcode


@dataclass(frozen=True)
class Clip:
    """A recipe. 64 seconds hold a whole number of AAC packets at 48 kHz, so they loop well."""

    seconds: int = 64
    rate: int = 15
    size: tuple[int, int] = (640, 360)
    sound: str | None = "aac"
    video: str = "libx264"
    ending: str = "mp4"
    gop_s: float = 1
    grain: int = 10
    first_number: int = 0

    @property
    def frames(self) -> int:
        """How many frames one round has."""
        return self.seconds * self.rate

    @property
    def sample_rate(self) -> int:
        """Hz of the sound."""
        return 8000 if self.sound == "pcm_mulaw" else 48_000


@dataclass(frozen=True)
class Clock:
    """What a clip shows when it has been played round and round since `epoch` (Unix seconds)."""

    clip: Clip
    epoch: float

    def number_at(self, time: float) -> int:
        """The number, counted on through all rounds, of the frame that is newest at `time`."""
        return int((time - self.epoch) * self.clip.rate // 1)

    def time_of(self, number: int) -> float:
        """When this number, counted on through all rounds, is due."""
        return self.epoch + number / self.clip.rate

    def unwrap(self, shown: int, near: float) -> int:
        """The counted-on number of a frame that shows `shown`, the one nearest to time `near`."""
        frames, first = self.clip.frames, self.clip.first_number
        rounds = round((self.number_at(near) - (shown - first)) / frames)
        return rounds * frames + shown - first

    def unwrap_second(self, shown: int, near: float) -> int:
        """Seconds since `epoch` of a tone that tells `shown`, the one nearest to time `near`.

        Sure when the clip's length is 64 s, or divides it.
        """
        length = min(self.clip.seconds, barcode.PITCHES)
        return shown + length * round((near - self.epoch - shown) / length)


def make(folder: Path, clip: Clip) -> Path:
    """The clip's file in this folder, written when it is not there yet."""
    name = hashlib.sha256(repr(clip).encode()).hexdigest()[:12]
    path = folder / f"live_{name}.{clip.ending}"
    if not path.exists():
        part = folder / f".{os.getpid()}.{path.name}"
        _write(part, clip)
        part.replace(path)
    return path


def picture(clip: Clip, number: int, texture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) luma: the texture drifts, so that every macroblock has something to lose."""
    width, height = clip.size
    x, y = 3 * number % 64, number % 32
    gray = texture[y : y + height, x : x + width].copy()
    barcode.draw(clip.first_number + number, gray)
    return gray


def texture(clip: Clip) -> NDArray[np.uint8]:
    """(H + 32, W + 64): soft patches under fine grain; the grain sets the bit rate."""
    random = np.random.default_rng(7)
    width, height = clip.size
    coarse = random.integers(60, 200, ((height + 32) // 16 + 2, (width + 64) // 16 + 2))
    soft = np.kron(coarse, np.ones((16, 16)))[: height + 32, : width + 64]
    return (soft + random.integers(-clip.grain, clip.grain + 1, soft.shape)).astype(np.uint8)


def _write(path: Path, clip: Clip) -> None:
    options = {"movflags": "+faststart"} if clip.ending in ("mp4", "mov") else {}
    with av.open(path, "w", options=options) as container:
        video = _video(container, clip)
        sound: Any = None
        if clip.sound is not None:
            sound = container.add_stream(clip.sound, rate=clip.sample_rate, layout="mono")
        packets = _pictures(video, clip)
        if sound is not None:
            packets += _sounds(sound, clip)
        container.start_encoding()
        for packet in sorted(packets, key=lambda one: (one.dts or 0) * one.time_base):
            container.mux(packet)


def _video(container: Any, clip: Clip) -> Any:
    stream = container.add_stream(clip.video, rate=clip.rate)
    stream.width, stream.height = clip.size
    stream.pix_fmt = "yuvj420p" if clip.video == "mjpeg" else "yuv420p"
    context = stream.codec_context
    context.gop_size, context.max_b_frames = int(clip.gop_s * clip.rate), 0
    if clip.video == "libx264":
        # One slice, parameter sets before every key frame: like the cameras of the field.
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": "30",
            "x264-params": "threads=1:sliced-threads=0:repeat-headers=1:scenecut=0",
        }
    context.time_base = Fraction(1, 90_000)
    return stream


def _pictures(stream: Any, clip: Clip) -> list[Any]:
    packets: list[Any] = []
    patches = texture(clip)
    width, height = clip.size
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    for number in range(clip.frames):
        planes[:height] = picture(clip, number, patches)
        frame = av.VideoFrame.from_ndarray(planes, stream.pix_fmt)
        frame.time_base = Fraction(1, 90_000)
        frame.pts = number * 90_000 // clip.rate
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sounds(stream: Any, clip: Clip) -> list[Any]:
    signal = barcode.tones(clip.seconds, clip.sample_rate)
    resampler = av.AudioResampler(stream.format.name, "mono", clip.sample_rate)
    step = clip.sample_rate // 50 if clip.sound == "pcm_mulaw" else 1024
    packets: list[Any] = []
    for first in range(0, len(signal), step):
        frame = av.AudioFrame.from_ndarray(signal[None, first : first + step], "flt", "mono")
        frame.sample_rate, frame.pts = clip.sample_rate, first
        frame.time_base = Fraction(1, clip.sample_rate)
        for ready in resampler.resample(frame):
            packets += stream.encode(ready)
    return packets + stream.encode(None)
