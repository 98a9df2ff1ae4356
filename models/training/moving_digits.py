"""Clips of a digit that moves (after Srivastava et al. 2015): what it is, and which way it goes.

Every clip comes twice: as drawn, moving to the right, and with its frames in reverse. So which
digit it is can be seen in any frame, which way it goes in none: both clips of a pair hold the same
frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.digits import Digits

SIDE, DIGIT, FRAMES = 32, 16, 12
NOISE = 16.0

LOOKS = (3, 7)  # the two digits there are

Question = Literal["appearance", "order", "both"]
QUESTIONS: dict[Question, tuple[str, ...]] = {
    "appearance": ("three", "seven"),
    "order": ("to the right", "to the left"),
    "both": ("three, right", "seven, right", "three, left", "seven, left"),
}


@dataclass(frozen=True, slots=True)
class MovingDigits:
    """Clips (N, T, 32, 32, 3) RGB uint8, the digit in each (N,), and whether it is reversed (N,).

    Clip 2i + 1 holds the frames of clip 2i in reverse.
    """

    clips: NDArray[np.uint8]
    digits: NDArray[np.int64]
    reversed: NDArray[np.bool_]

    def labels(self, question: Question) -> NDArray[np.int64]:
        """(N,) the answers to a question, as indices of its labels."""
        seven: NDArray[np.int64] = (self.digits == LOOKS[1]).astype(np.int64)
        left: NDArray[np.int64] = self.reversed.astype(np.int64)
        return {"appearance": seven, "order": left, "both": seven + 2 * left}[question]


def moving_digits(digits: Digits, pairs: int, seed: int) -> MovingDigits:
    """`pairs` clips and their reversals, of threes and sevens; no picture is taken twice.

    Half of the room or more is crossed from left to right, with some drift up or down, and
    every frame has noise of its own. ValueError when there are fewer such digits than pairs.
    """
    usable = np.flatnonzero(np.isin(digits.labels, LOOKS))
    if pairs > len(usable):
        message = f"{pairs} pairs of clips need as many threes and sevens; there are {len(usable)}"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(usable)[:pairs]
    room = SIDE - DIGIT
    forward = []
    for picture in digits.pictures[chosen]:
        travel = rng.uniform(room / 2, room)
        left, top, bottom = rng.uniform(0, room - travel), *rng.uniform(0, room, 2)
        across = np.linspace(left, left + travel, FRAMES)
        forward.append(draw(picture, across, np.linspace(top, bottom, FRAMES), rng))
    both = np.stack([np.stack(forward), np.stack(forward)[:, ::-1]], 1)  # pairs, 2, T, H, W
    grey = both.reshape(2 * pairs, FRAMES, SIDE, SIDE)
    return MovingDigits(
        np.repeat(grey[..., None], 3, axis=-1),
        digits.labels[chosen].repeat(2),
        np.tile([False, True], pairs),
    )


def draw(
    picture: NDArray[np.uint8],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """(T, 32, 32): the digit, 16 px in size, with its left upper corner at (across, down)."""
    small = cv2.resize(picture, (DIGIT, DIGIT), interpolation=cv2.INTER_AREA).astype(np.float32)
    frames = []
    for x, y in zip(across, down, strict=True):
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = cv2.warpAffine(small, shift, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        frames.append(moved + np.abs(rng.normal(0, NOISE, moved.shape)))
    clip: NDArray[np.uint8] = np.clip(np.stack(frames), 0, 255).astype(np.uint8)
    return clip
