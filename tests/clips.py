"""Small media made by recipe: every frame carries its number, every second of sound a click.

A recipe is frozen data; `make(folder, recipe)` writes its file once and returns the same path when
asked again. The breakers below it return damaged copies.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BITS = 8
CLICK_S = 0.02
CLICK_HZ = 1000


@dataclass(frozen=True)
class Picture:
    """Pictures at these times; `size` is as stored, before rotation by its display matrix."""

    codec: str = "libx264"
    times: tuple[Fraction, ...] = tuple(Fraction(i, 25) for i in range(50))
    rate: Fraction = Fraction(25)
    size: tuple[int, int] = (96, 64)
    pixel_format: str = "yuv420p"
    b_frames: int = 0
    gop: int = 10
    rotation: int = 0
    time_base: Fraction = Fraction(1, 90_000)


@dataclass(frozen=True)
class Sound:
    """Sound that starts at `start`, silent but for a click at every whole second."""

    codec: str = "aac"
    sample_rate: int = 48_000
    layout: str = "mono"
    start: Fraction = Fraction(0)
    seconds: Fraction = Fraction(2)


@dataclass(frozen=True)
class Recipe:
    """A file of this ending with these media."""

    ending: str = "mp4"
    picture: Picture | None = field(default_factory=Picture)
    sound: Sound | None = field(default_factory=Sound)
    options: tuple[tuple[str, str], ...] = ()


def at_rate(rate: Fraction, seconds: int = 2) -> Picture:
    """Pictures at a constant rate."""
    count = int(seconds * rate)
    return Picture(rate=rate, times=tuple(i / rate for i in range(count)))


def make(folder: Path, recipe: Recipe) -> Path:
    """The recipe's file in this folder, written when it is not there yet."""
    name = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    path = folder / f"{name}.{recipe.ending}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{os.getpid()}.{path.name}"
        _write(part, recipe)
        part.replace(path)
    return path


def bar_code(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) whose eight upright bars are the bits of `number`, lowest first, 1 is white.

    The top quarter is darker, so that a turned or mirrored picture is told from an upright one.
    """
    width, height = size
    bits = (np.arange(width) * BITS // width).clip(0, BITS - 1)
    row = np.where((number >> bits) & 1, 255, 0).astype(np.uint8)
    image = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)
    image[: height // 4] //= 2
    return image


def read_bar_code(image: NDArray[np.uint8]) -> int:
    """The number that `bar_code` wrote, read from the lower half."""
    height, width = image.shape[:2]
    row = image[height // 2 : -2].mean(axis=(0, 2))
    middles = [int((bit + 0.5) * width / BITS) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(middles) if row[x] > 127)


def clicks(sound: Sound) -> NDArray[np.float32]:
    """(samples,): the sound's own samples before coding."""
    count = int(sound.seconds * sound.sample_rate)
    times = np.arange(count) / sound.sample_rate + float(sound.start)
    # A quarter of a sample forgives floats that land just before the whole second.
    since = (times + 0.25 / sound.sample_rate) % 1.0
    tone = 0.8 * np.sin(2 * np.pi * CLICK_HZ * since)
    return np.where(since < CLICK_S, tone, 0.0).astype(np.float32)


def header_only(folder: Path, ending: str = "mp4") -> Path:
    """A film whose header claims pictures and that holds none."""
    path = folder / f"header_only.{ending}"
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.start_encoding()
    return path


def silent_header(folder: Path, samples: int = 0) -> Path:
    """A WAV file of so many 16-bit samples at 8 kHz; of none by default."""
    path = folder / f"samples_{samples}.wav"
    body = struct.pack("<4sI", b"fmt ", 16)
    body += struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    body += struct.pack("<4sI", b"data", 2 * samples) + bytes(2 * samples)
    path.write_bytes(struct.pack("<4sI4s", b"RIFF", 4 + len(body), b"WAVE") + body)
    return path


def truncated(path: Path, kept: float) -> Path:
    """A copy that breaks off after this share of its bytes."""
    data = path.read_bytes()
    copy = path.with_name(f"{path.stem}.truncated{int(kept * 100)}{path.suffix}")
    copy.write_bytes(data[: int(len(data) * kept)])
    return copy


def flipped(path: Path, *, seed: int = 0, flips: int = 40, spared: float = 0.3) -> Path:
    """A copy with flipped bytes; the first and last `spared` share of it stays whole."""
    data = bytearray(path.read_bytes())
    chosen = random.Random(seed)
    first, last = int(len(data) * spared), int(len(data) * (1 - spared))
    for _ in range(flips):
        data[chosen.randrange(first, last)] ^= chosen.randrange(1, 256)
    copy = path.with_name(f"{path.stem}.flipped{seed}{path.suffix}")
    copy.write_bytes(data)
    return copy


def _write(path: Path, recipe: Recipe) -> None:
    with av.open(path, "w", options=dict(recipe.options)) as container:
        picture, sound = recipe.picture, recipe.sound
        video = _add_picture(container, picture) if picture else None
        audio = _add_sound(container, sound) if sound else None
        # Packets are put in order of time, as a recorder would write them.
        packets = []
        if picture is not None:
            packets += _pictures(video, picture)
        if sound is not None:
            packets += _sounds(audio, sound)
        container.start_encoding()
        for packet in sorted(packets, key=lambda one: (one.dts or 0) * one.time_base):
            container.mux(packet)


def _add_picture(container: Any, picture: Picture) -> Any:
    stream = container.add_stream(picture.codec, rate=picture.rate)
    stream.width, stream.height = picture.size
    stream.pix_fmt = picture.pixel_format
    context = stream.codec_context
    context.gop_size, context.max_b_frames = picture.gop, picture.b_frames
    if picture.codec == "libx264":
        context.options = {"preset": "ultrafast", "crf": "20", "bf": str(picture.b_frames)}
    context.time_base = picture.time_base
    if picture.rotation:
        stream.set_display_rotation(picture.rotation)
    return stream


def _add_sound(container: Any, sound: Sound) -> Any:
    return container.add_stream(sound.codec, rate=sound.sample_rate, layout=sound.layout)


def _pictures(stream: Any, picture: Picture) -> list[Any]:
    packets = []
    for number, time in enumerate(picture.times):
        frame = av.VideoFrame.from_ndarray(bar_code(number, picture.size), "rgb24")
        frame.pts, frame.time_base = round(time / picture.time_base), picture.time_base
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sounds(stream: Any, sound: Sound) -> list[Any]:
    signal = clicks(sound)
    channels = stream.codec_context.layout.nb_channels
    packets, step = [], 1024
    for first in range(0, len(signal), step):
        piece = np.repeat(signal[None, first : first + step], channels, axis=1)
        frame = av.AudioFrame.from_ndarray(piece, "flt", sound.layout)
        frame.sample_rate = sound.sample_rate
        frame.time_base = Fraction(1, sound.sample_rate)
        frame.pts = round(sound.start * sound.sample_rate) + first
        packets += stream.encode(frame)
    return packets + stream.encode(None)
