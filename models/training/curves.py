"""Pictures of how a training went: learning curves, and who was taken for whom."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.class_scores import ClassScores

Picture = NDArray[np.uint8]

WIDTH, HEIGHT, MARGIN = 800, 480, 70
CELL, NAME_PX = 56, 170
INK, PALE = (40, 40, 40), (225, 225, 225)
LOSS, SCORE = (180, 90, 30), (60, 140, 40)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


def learning_curves(
    losses: Sequence[float],
    scores: Sequence[tuple[int, float]],
    measure: str = "balanced accuracy",
) -> Picture:
    """(480, 800, 3) BGR: the loss of every step, smoothed, and the score where it was taken.

    The loss has its own scale at the left; the score, a `measure`, is 0 to 1 at the right.
    """
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, 50, HEIGHT - 50
    smooth = _smoothed(np.asarray(losses, np.float64))
    most = float(max(smooth.max(initial=0.0), 1e-9)) * 1.05
    steps = max(2, len(losses))
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = round(bottom - share * (bottom - top))
        cv2.line(image, (left, y), (right, y), PALE, 1)
        _write(image, f"{share * most:.3g}", (10, y + 5), LOSS)
        _write(image, f"{share:.2f}", (right + 12, y + 5), SCORE)
        x = round(left + share * (right - left))
        _write(image, f"{share * len(losses):.0f}", (x - 12, bottom + 22), INK)
    at = np.arange(1, len(smooth) + 1)
    _line(image, at / steps, smooth / most, LOSS)
    if scores:
        points = np.array(scores, np.float64)
        _line(image, points[:, 0] / steps, points[:, 1], SCORE, dots=True)
    _write(image, "loss (running mean)", (left, 30), LOSS)
    _write(image, f"{measure}, validation", (left + 220, 30), SCORE)
    _write(image, "steps", (WIDTH // 2 - 20, HEIGHT - 8), INK)
    return image


def confusion_matrix(scores: ClassScores) -> Picture:
    """(H, W, 3) BGR: a row for each true label, a column for each that was said; darker is more.

    Shades are shares of the row; the numbers are counts.
    """
    count = len(scores.labels)
    size = NAME_PX + count * CELL + 20
    image = np.full((size, max(size, 360), 3), 255, np.uint8)
    shares = scores.confusion / np.maximum(1, scores.confusion.sum(1, keepdims=True))
    for row, label in enumerate(scores.labels):
        middle = NAME_PX + row * CELL + CELL // 2
        _write(image, _short(label), (10, middle + 5), INK)
        image[10 : NAME_PX - 10, middle - 10 : middle + 10] = _upright(_short(label))
        for column in range(count):
            x, y = NAME_PX + column * CELL, NAME_PX + row * CELL
            share = float(shares[row, column])
            right = row == column
            full = np.array(SCORE if right else LOSS, np.float64)
            colour = tuple(float(value) for value in 255 + share * (full - 255))
            cv2.rectangle(image, (x, y), (x + CELL - 2, y + CELL - 2), colour, -1)
            number = str(scores.confusion[row, column])
            ink = (255, 255, 255) if share > 0.6 else INK
            _write(image, number, (x + CELL // 2 - 5 * len(number), y + CELL // 2 + 5), ink)
    _write(image, "true: rows, said: columns", (10, 20), INK)
    return image


def png(image: Picture) -> bytes:
    """The picture as a PNG file."""
    _, coded = cv2.imencode(".png", image)
    return coded.tobytes()


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of every loss with those before it, a fiftieth of the run at most."""
    window = max(1, len(losses) // 50)
    sums = np.concatenate(([0.0], losses.cumsum()))
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(0, ends - window)
    mean: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return mean


def _line(
    image: Picture,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    colour: tuple[int, int, int],
    *,
    dots: bool = False,
) -> None:
    left, right, top, bottom = MARGIN, WIDTH - MARGIN, 50, HEIGHT - 50
    across = left + x * (right - left)
    down = bottom - y.clip(0, 1) * (bottom - top)
    points = np.stack([across, down], 1).round().astype(np.int32)
    cv2.polylines(image, [points[:, None]], False, colour, 2, cv2.LINE_AA)
    for point in points if dots else []:
        cv2.circle(image, (int(point[0]), int(point[1])), 4, colour, -1, cv2.LINE_AA)


def _short(label: str) -> str:
    """What OpenCV's letters can show of a label, in the space there is."""
    plain = label.encode("ascii", "replace").decode()
    return plain if len(plain) <= 16 else plain[:15] + "."


def _upright(text: str) -> Picture:
    """(NAME_PX - 20, 20, 3): the text, read from below."""
    strip = np.full((20, NAME_PX - 20, 3), 255, np.uint8)
    _write(strip, text, (0, 15), INK)
    return np.ascontiguousarray(np.rot90(strip))


def _write(image: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, at, _FONT, _SIZE, colour, 1, cv2.LINE_AA)
