"""The street recording that the shipped networks for pictures learn from, and how it is split.

It is the public sequence PETS09-S2L1 as OpenCV's samples carry it: one camera that stands still,
768x576, 795 frames at 10 a second. Everything that is learnt, tuned or estimated, backgrounds and
outlines included, comes from the first 60 %; the rest is for judging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.packages import Package, PackageError, fetch
from models.training.scene import ReadFrames

STREET = Package(
    "opencv-doc",
    "4.6.0+dfsg-12",
    "4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
    "Apache-2.0",
)
FILE = "vtest.avi"
FRAMES, FIRST_HELD_OUT, RATE_HZ = 795, 477, 10.0
SPLIT = f"by time: frames 0 to {FIRST_HELD_OUT - 1} of {FILE} teach, the rest judge"


@dataclass(frozen=True, slots=True)
class StreetPart:
    """The frames of one side of the split; calling it gives them anew, as (index, RGB)."""

    read_all: ReadFrames
    indices: range

    def __call__(self) -> Iterable[tuple[int, NDArray[np.uint8]]]:
        """(index, (H, W, 3) RGB) in order; indices count the frames of the whole recording."""
        for index, frame in self.read_all():
            if index >= self.indices.stop:
                return
            if index in self.indices:
                yield index, frame


def street(
    frames_of: Callable[[Path], ReadFrames], given: Path | None = None
) -> tuple[StreetPart, StreetPart]:
    """The part that teaches and the part that judges; fetched unless `given` holds the package.

    `frames_of` opens a film. PackageError when the package cannot be got or lacks the film.
    """
    folder = fetch(STREET, given)
    film = next(folder.rglob(FILE), None)
    if film is None:
        message = f"{folder}: {FILE} is not in there; it belongs to {STREET.name} {STREET.version}"
        raise PackageError(message)
    read = frames_of(film)
    return (
        StreetPart(read, range(FIRST_HELD_OUT)),
        StreetPart(read, range(FIRST_HELD_OUT, FRAMES)),
    )
