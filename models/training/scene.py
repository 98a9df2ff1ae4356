"""What moves in front of a static scene: median background, moving pixels without their shadows.

Pure OpenCV and NumPy. Frames come from a reader that can be called again for another pass:
`read() -> (index, RGB (H, W, 3) uint8)` in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ReadFrames = Callable[[], Iterable[tuple[int, NDArray[np.uint8]]]]

BACKGROUND_FRAMES = 80
LIGHTER = 22  # steps of L* (0..255) that make a pixel foreground
COLOURED = 9  # distance in (a*, b*) that does
SHADOW = (0.55, 0.97)  # a shadow darkens by this factor ...
SHADOW_COLOURED = 6  # ... and hardly changes the colour
MOST_MOVING = 0.25


class SceneError(Exception):
    """The frames do not show a static scene in which something moves."""


@dataclass(frozen=True, slots=True)
class Background:
    """The scene without what moves: RGB, and the same in CIE Lab (8 bit)."""

    rgb: NDArray[np.uint8]
    lab: NDArray[np.int16]

    @classmethod
    def of(cls, rgb: NDArray[np.uint8]) -> Background:
        """The background that a picture of the empty scene shows."""
        return cls(rgb, _lab(rgb))


def median_background(read: ReadFrames) -> Background:
    """The median of up to 80 frames spread over the stream; what stands still is scene.

    Raises SceneError when there are fewer than 10 frames.
    """
    count = sum(1 for _ in read())
    if count < 10:
        message = f"{count} frames are too few to tell what moves; 10 are needed, 200 are good"
        raise SceneError(message)
    step = max(1, count // BACKGROUND_FRAMES)
    kept = [frame for number, (_, frame) in enumerate(read()) if number % step == 0]
    return Background.of(np.median(np.stack(kept), axis=0).astype(np.uint8))


def foreground(frame: NDArray[np.uint8], background: Background) -> NDArray[np.bool_]:
    """(H, W): True where something stands or walks that the background does not have.

    Shadows (darker, hardly another colour) are taken out, thin things (a barrier tape in the
    wind) too. SceneError when most of the picture differs: then the camera moves.
    """
    lab = _lab(frame)
    difference = np.abs(lab - background.lab)
    coloured = np.hypot(difference[..., 1], difference[..., 2])
    moving = (difference[..., 0] > LIGHTER) | (coloured > COLOURED)
    if moving.mean() > MOST_MOVING:
        message = (
            f"{moving.mean():.0%} of a frame differs from the scene: the camera moves, or the "
            "light changed; labels need a stream from a camera that stands still"
        )
        raise SceneError(message)
    ratio = (lab[..., 0] + 1) / (background.lab[..., 0] + 1)
    shadow = (ratio > SHADOW[0]) & (ratio < SHADOW[1]) & (coloured < SHADOW_COLOURED)
    raw = (moving & ~shadow).astype(np.uint8)
    mask = cv2.morphologyEx(raw, cv2.MORPH_CLOSE, np.ones((7, 5), np.uint8))
    core = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    regrown = cv2.dilate(core, np.ones((7, 7), np.uint8))
    return np.asarray(mask > 0) & np.asarray(regrown > 0)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.int16]:
    lab: NDArray[np.int16] = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.int16)
    return lab
