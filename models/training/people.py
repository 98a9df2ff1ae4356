"""People in the foreground of a static scene: priors that the scene teaches, blobs split by them.

Blobs that stand alone teach how tall a person is at each foot position and what a person's outline
looks like; every other blob is then covered greedily with that outline.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.scene import SceneError

OUTLINE = (64, 32)  # height and width of the learned outline
ASPECT = OUTLINE[1] / OUTLINE[0]
SCALES = (0.85, 1.0, 1.15)
LEAST_GAIN = 0.42  # of the outline's area that a person must explain
EMPTY_COST = 0.9  # what a pixel of the outline without foreground costs
MIN_HEIGHT_PX = 18


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one frame: box x, y, width, height in px, mask (H, W), score 0..1."""

    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    score: float


@dataclass(frozen=True, slots=True)
class Priors:
    """What a scene teaches: height in px = slope * foot_y + offset, and the mean outline."""

    slope: float
    offset: float
    outline: NDArray[np.float32]

    def height(self, foot_y: float) -> float:
        """How tall a person whose feet are at `foot_y` is, px."""
        return max(float(MIN_HEIGHT_PX), self.slope * foot_y + self.offset)


def learn(masks: Iterable[NDArray[np.bool_]]) -> Priors:
    """The priors of a scene, from foreground masks of many frames.

    SceneError when hardly anybody walks alone: there is nothing to learn from.
    """
    feet, heights, outlines = [], [], []
    for mask in masks:
        for box, blob in blobs(mask):
            x, y, width, height = box
            inside = x > 2 and y > 2 and x + width < mask.shape[1] - 2
            inside &= y + height < mask.shape[0] - 2
            alone = 0.22 < width / height < 0.55 and height >= MIN_HEIGHT_PX
            fill = blob[y : y + height, x : x + width].mean()
            if inside and alone and 0.35 < fill < 0.85:
                feet.append(y + height)
                heights.append(height)
                outlines.append(_outline(blob, box))
    if len(feet) < 30:
        message = (
            f"only {len(feet)} people walk alone in this stream; 30 are needed to learn how "
            "tall people are where: use a longer piece of it"
        )
        raise SceneError(message)
    slope, offset = _robust_line(np.array(feet, float), np.array(heights, float))
    fits = [
        outline
        for foot, height, outline in zip(feet, heights, outlines, strict=True)
        if 0.8 < height / max(1.0, slope * foot + offset) < 1.25
    ]
    return Priors(slope, offset, np.mean(fits or outlines, axis=0).astype(np.float32))


def blobs(mask: NDArray[np.bool_]) -> Iterator[tuple[tuple[int, int, int, int], NDArray[np.bool_]]]:
    """(box, mask) of what hangs together; parts of a person behind a post are joined."""
    joined = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((21, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for number in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[number])
        if area < 80 or height < MIN_HEIGHT_PX // 2:
            continue
        yield (x, y, width, height), (labels == number) & mask


def people_in(mask: NDArray[np.bool_], priors: Priors) -> list[Person]:
    """The people of a frame's foreground, left to right."""
    found: list[Person] = []
    for box, blob in blobs(mask):
        x, y, width, height = box
        expected = priors.height(y + height)
        at_border = x < 3 or y < 3 or x + width > mask.shape[1] - 3
        if (
            height < (0.3 if at_border else 0.55) * expected
            or blob.sum() < 0.12 * expected * expected * ASPECT
        ):
            continue
        single = 0.7 < height / expected < 1.3 and width < 0.55 * expected
        found += [_person(blob, 0.9)] if single else _cover(blob, box, priors)
    return sorted(found, key=lambda person: person.box[0])


def _cover(blob: NDArray[np.bool_], box: tuple[int, int, int, int], priors: Priors) -> list[Person]:
    """Greedily, the outlines that explain a blob best; each takes the pixels nearest to it."""
    left = blob.astype(np.float32)
    placed: list[tuple[NDArray[np.float32], float]] = []
    for _ in range(8):
        best, gain = _best_outline(left, blob, box, priors)
        if best is None or gain < LEAST_GAIN:
            break
        placed.append((best, gain))
        left = left * (cv2.dilate((best > 0.35).astype(np.uint8), np.ones((5, 5))) == 0)
    if not placed:
        return []
    claims = np.argmax(np.stack([outline for outline, _ in placed]), axis=0)
    people = []
    for number, (outline, gain) in enumerate(placed):
        near = cv2.dilate((outline > 0.2).astype(np.uint8), np.ones((9, 9))) > 0
        mine = blob & (claims == number) & near
        if mine.sum() > 0.3 * (outline > 0.5).sum():
            people.append(_person(mine, min(0.9, gain)))
    return people


def _best_outline(
    left: NDArray[np.float32],
    blob: NDArray[np.bool_],
    box: tuple[int, int, int, int],
    priors: Priors,
) -> tuple[NDArray[np.float32] | None, float]:
    """The placed outline (H, W) that gains most, and its gain as a share of its own area."""
    x, y, width, height = box
    empty = (~blob).astype(np.float32)
    best: tuple[float, int, int, int] | None = None
    for foot in range(y + height // 3, y + height + 1, 4):
        for scale in SCALES:
            tall = round(priors.height(foot) * scale)
            if foot - tall < y - 0.3 * tall or tall < MIN_HEIGHT_PX:
                continue
            stencil = (_sized(priors, tall) > 0.5).astype(np.float32)
            area, half = float(stencil.sum()), stencil.shape[1] // 2
            for centre in range(x + half // 2, x + width - half // 2 + 1, 3):
                part = _cut(left, foot, centre, stencil.shape)
                holes = _cut(empty, foot, centre, stencil.shape)
                gain = float((part * stencil).sum() - EMPTY_COST * (holes * stencil).sum()) / area
                if best is None or gain > best[0]:
                    best = (gain, foot, centre, tall)
    if best is None:
        return None, 0.0
    gain, foot, centre, tall = best
    return _placed(_sized(priors, tall), foot, centre, left.shape), gain


def _sized(priors: Priors, tall: int) -> NDArray[np.float32]:
    wide = max(3, round(tall * ASPECT))
    sized = cv2.resize(priors.outline, (wide, tall), interpolation=cv2.INTER_AREA)
    return np.asarray(sized, np.float32)


def _cut(
    picture: NDArray[np.float32], foot: int, centre: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The part of a picture that an outline would lie on; zero outside the picture."""
    height, width = shape[0], shape[1]
    top, left = foot - height, centre - width // 2
    out = np.zeros((height, width), np.float32)
    y1, x1 = max(0, top), max(0, left)
    y2, x2 = min(picture.shape[0], foot), min(picture.shape[1], left + width)
    if y2 > y1 and x2 > x1:
        out[y1 - top : y2 - top, x1 - left : x2 - left] = picture[y1:y2, x1:x2]
    return out


def _placed(
    outline: NDArray[np.float32], foot: int, centre: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    height, width = outline.shape
    top, left = foot - height, centre - width // 2
    out = np.zeros(shape[:2], np.float32)
    y1, x1 = max(0, top), max(0, left)
    y2, x2 = min(shape[0], foot), min(shape[1], left + width)
    if y2 > y1 and x2 > x1:
        out[y1:y2, x1:x2] = outline[y1 - top : y2 - top, x1 - left : x2 - left]
    return out


def _person(mask: NDArray[np.bool_], score: float) -> Person:
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    return Person((x, y, int(xs.max()) + 1 - x, int(ys.max()) + 1 - y), mask, score)


def _outline(blob: NDArray[np.bool_], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """A lone blob on the outline's grid: as tall as the grid, its middle in the middle."""
    x, y, width, height = box
    middle = x + int(
        np.average(np.arange(width), weights=blob[y : y + height, x : x + width].sum(0))
    )
    cut = _cut(blob.astype(np.float32), y + height, middle, (height, round(height * ASPECT)))
    outline = cv2.resize(cut, OUTLINE[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(outline, np.float32)


def _robust_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and offset of the line most points agree with (least squares, outliers dropped)."""
    keep = np.ones(x.size, bool)
    slope, offset = 0.0, float(np.median(y))
    for _ in range(10):
        slope, offset = (float(v) for v in np.polyfit(x[keep], y[keep], 1))
        error = np.abs(slope * x + offset - y)
        keep = error < max(4.0, 2.0 * float(np.median(error[keep])))
    return slope, offset
