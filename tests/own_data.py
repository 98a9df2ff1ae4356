"""Small labelled data as people have it: sounds that ring or hiss, clips that move, pictures."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.encode import Encoder

RATE = 8000


def tone(rng: np.random.Generator, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """A steady note between 700 and 900 Hz with its octave."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * rng.uniform(700, 900) * time
    return (0.3 * np.sin(phase) + 0.15 * np.sin(2 * phase)).astype(np.float32)


def hiss(rng: np.random.Generator, seconds: float, rate: int = RATE) -> NDArray[np.float32]:
    """White noise in bursts, twenty a second."""
    time = np.arange(round(seconds * rate)) / rate
    bursts = (time * 20) % 1 < 0.5
    return (0.3 * bursts * rng.standard_normal(len(time))).astype(np.float32)


def write_wav(path: Path, samples: NDArray[np.float32], rate: int = RATE) -> Path:
    """16-bit mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def sounds(folder: Path, each: int = 8) -> Path:
    """A folder for each of `ring` and `hiss`."""
    for number in range(each):
        rng = np.random.default_rng(number)
        write_wav(folder / "ring" / f"{number}.wav", tone(rng, rng.uniform(0.8, 1.2)))
        write_wav(folder / "hiss" / f"{number}.wav", hiss(rng, rng.uniform(0.8, 1.2)))
    return folder


def street_of_sounds(path: Path) -> list[tuple[float, str]]:
    """Writes 12 s of quiet noise with four planted sounds; when each begins, and what it is."""
    rng = np.random.default_rng(99)
    samples = (0.001 * rng.standard_normal(12 * RATE)).astype(np.float32)
    planted = [(1.5, "ring"), (4.0, "hiss"), (6.5, "ring"), (9.0, "hiss")]
    for start, label in planted:
        made = (tone if label == "ring" else hiss)(rng, 1.0)
        at = round(start * RATE)
        samples[at : at + len(made)] += made
    write_wav(path, samples)
    return planted


def square(
    shade: int, left: int, size: tuple[int, int] = (64, 48), seed: int = 0
) -> NDArray[np.uint8]:
    """(H, W, 3): a bright square of 16 px with its left edge there, on a noisy ground."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = rng.integers(40, 70, (height, width, 3)).astype(np.uint8)
    colours = ((230, 40, 40), (40, 60, 230))
    cv2.rectangle(image, (left, 16), (left + 15, 31), colours[shade], -1)
    return image


def pictures(folder: Path, each: int = 10) -> Path:
    """A folder for each of `red` and `blue` squares, as PNG."""
    rng = np.random.default_rng(7)
    for shade, label in enumerate(("red", "blue")):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            image = square(shade, int(rng.integers(0, 48)), seed=100 * shade + number)
            cv2.imwrite(str(folder / label / f"{number}.png"), image[..., ::-1])
    return folder


def film(path: Path, moves: list[tuple[str, int]], rate: int = 10, seed: int = 0) -> Path:
    """A film of (label, frames): a red square stands, or moves to the right and comes back in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    left, number = int(rng.integers(0, 48)), 0
    with Encoder(path, 64, 48, Fraction(rate)) as encoder:
        for label, frames in moves:
            shade = 0 if label == "red" else 1
            for _ in range(frames):
                encoder.write(square(shade, left, seed=seed), Fraction(number, rate))
                number += 1
    return path


def clips(folder: Path, each: int = 8, frames: int = 12) -> Path:
    """A folder for each of `red` and `blue` squares, as films."""
    for label in ("red", "blue"):
        for number in range(each):
            seed = number + 100 * (label == "blue")
            film(folder / label / f"{number}.mp4", [(label, frames)], seed=seed)
    return folder
