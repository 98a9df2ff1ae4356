"""A made-up scene that stands still, with round people who walk through it, as a video file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from pipeline.media.encode import Encoder

WIDTH, HEIGHT, RATE = 320, 240, Fraction(10)


def walkers(folder: Path, frames: int = 60, *, shaking: bool = False) -> Path:
    """A film of three people who cross the scene; `shaking` moves the camera instead."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 180, (24, 32, 3), dtype=np.uint8)
    ground = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    path = folder / ("shaking.mp4" if shaking else "walkers.mp4")
    with Encoder(path, WIDTH, HEIGHT, RATE) as encoder:
        for number in range(frames):
            shift = int(rng.integers(-40, 40)) if shaking else 0
            picture = np.roll(ground, shift, axis=1).copy()
            for foot, height, start, step in (
                (90, 40, 10, 4),
                (150, 56, 300, -4),
                (220, 74, 20, 5),
            ):
                middle = (start + step * number, foot - height // 2)
                if 0 < middle[0] < WIDTH:
                    size = (height // 6, height // 2)
                    cv2.ellipse(picture, middle, size, 0, 0, 360, (250, 30, 30), -1)
            encoder.write(picture, number / RATE)
    return path
