"""A contact sheet of the pictures that an instances network does worst on, for people to look at.

Figures say how often a network errs, and not at what: a sheet of its worst pictures shows labels
that are wrong, kinds of things that it never met, and outlines that do not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.training.evaluate_instances import Compared
from models.training.instance_data import Picture

WORST = 12
COLUMNS, TILE_PX, HEAD_PX = 3, 420, 24

FOUND, SAID, MISSED, FALSE = (90, 200, 90), (80, 170, 255), (255, 60, 60), (255, 190, 40)
_INK, _GROUND = (235, 235, 235), (40, 40, 40)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.45


def faults(case: Compared) -> float:
    """How bad a picture is: missed labels and false detections, and 1 - IoU of the masks found."""
    loose = sum(1 - overlap for _, _, overlap in case.found if overlap is not None)
    return len(case.missed) + len(case.false) + loose


def worst_cases(cases: Iterable[Compared], count: int = WORST) -> list[Compared]:
    """The `count` pictures with the most faults, worst first; none without any."""
    faulty = [case for case in cases if faults(case) > 0]
    return sorted(faulty, key=lambda case: (-faults(case), str(case.image["id"])))[:count]


def case_sheet(
    cases: Sequence[Compared],
    frames: Iterable[tuple[int, Picture]],
    categories: Sequence[dict[str, Any]],
) -> Picture:
    """(H, W, 3) RGB: each case's picture with its labels and detections drawn in, and a legend.

    `frames` holds at least the pictures of the cases, at the size of their labels.
    """
    names = {one["id"]: one["name"] for one in categories}
    wanted = {case.image["id"]: case for case in cases}
    tiles = {
        number: _tile(frame, wanted[number], names) for number, frame in frames if number in wanted
    }
    ordered = [tiles[case.image["id"]] for case in cases]
    width = COLUMNS * TILE_PX
    rows = [_legend(width)]
    for first in range(0, len(ordered), COLUMNS):
        row = ordered[first : first + COLUMNS]
        high = max(tile.shape[0] for tile in row)
        strip = np.full((high, width, 3), _GROUND, np.uint8)
        for column, tile in enumerate(row):
            strip[: tile.shape[0], column * TILE_PX : (column + 1) * TILE_PX] = tile
        rows.append(strip)
    return np.vstack(rows)


def _tile(frame: Picture, case: Compared, names: dict[int, str]) -> Picture:
    """The picture, TILE_PX wide under a line that tells its faults."""
    scale = TILE_PX / frame.shape[1]
    size = (TILE_PX, max(1, round(frame.shape[0] * scale)))
    picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    for label, detection, overlap in case.found:
        _outline(picture, label, FOUND)
        told = "" if overlap is None else f" IoU {overlap:.2f}"
        _outline(picture, detection, SAID, scale, f"{detection['score']:.2f}{told}")
    for detection in case.false:
        told = f"{names[detection['category_id']]} {detection['score']:.2f}"
        _outline(picture, detection, FALSE, scale, told)
    for label in case.missed:
        _outline(picture, label, MISSED, scale, names[label["category_id"]])
    head = np.full((HEAD_PX, TILE_PX, 3), _GROUND, np.uint8)
    file = str(case.image.get("file_name", case.image["id"]))
    told = f"{file[-28:]}: {len(case.missed)} missed, {len(case.false)} false"
    _write(head, told, (6, 16), _INK)
    return np.vstack([head, picture])


def _outline(
    picture: Picture,
    thing: dict[str, Any],
    colour: tuple[int, int, int],
    scale: float = 1.0,
    told: str = "",
) -> None:
    """Draws the edge of a mask on the scaled picture, and what there is to tell above its box."""
    size = (picture.shape[1], picture.shape[0])
    mask: NDArray[np.uint8] = coco_mask.decode(thing["segmentation"])
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    edges, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, edges, -1, colour, 2 if colour in (MISSED, FALSE) else 1)
    if told:
        x, y = (round(value * scale) for value in thing["bbox"][:2])
        _write(picture, told, (max(0, x), max(12, y - 4)), colour)


def _legend(width: int) -> Picture:
    legend = np.full((HEAD_PX, width, 3), _GROUND, np.uint8)
    left = 6
    for told, colour in (
        ("label that was found", FOUND),
        ("its detection", SAID),
        ("label that was missed", MISSED),
        ("false detection", FALSE),
    ):
        _write(legend, told, (left, 16), colour)
        left += 220
    return legend


def _write(picture: Picture, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(picture, plain, at, _FONT, _SIZE, colour, 1, cv2.LINE_AA)
