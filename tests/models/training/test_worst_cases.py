"""The sheet shows the pictures with the most faults, and the faults in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from models.training.evaluate_instances import compared
from models.training.worst_cases import (
    COLUMNS,
    FALSE,
    FOUND,
    HEAD_PX,
    MISSED,
    TILE_PX,
    case_sheet,
    faults,
    worst_cases,
)

SIDE = 70
LEFT, RIGHT = (5, 10, 20, 40), (45, 10, 20, 40)
CATEGORIES = [{"id": 4, "name": "cup"}]


def thing(image: int, box: tuple[int, ...], **more: Any) -> dict[str, Any]:
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    x, y, width, height = box
    mask[y : y + height, x : x + width] = 1
    what = {"image_id": image, "category_id": 4, "bbox": list(box)}
    return {**what, "segmentation": coco_mask.encode(mask), **more}


COCO = {
    "images": [{"id": n, "file_name": f"{n}.png", "width": SIDE, "height": SIDE} for n in range(4)],
    "categories": CATEGORIES,
    "annotations": [thing(0, LEFT), thing(1, LEFT), thing(1, RIGHT), thing(3, LEFT)],
}
SEEN = [
    thing(0, LEFT, score=0.9),  # as labelled
    thing(1, LEFT, score=0.8),  # and the right one is missed
    thing(3, (5, 10, 20, 30), score=0.9),  # three quarters of it
    thing(2, RIGHT, score=0.7),  # nothing is there
    thing(2, LEFT, score=0.6),
    thing(2, LEFT, score=0.1),  # does not count
]


def test_pictures_are_in_the_order_of_their_faults() -> None:
    cases = compared(COCO, SEEN, 0.5)
    assert [faults(case) for case in cases] == pytest.approx([0, 1, 2, 0.25])
    worst = worst_cases(cases)
    assert [case.image["id"] for case in worst] == [2, 1, 3]
    assert [case.image["id"] for case in worst_cases(cases, 1)] == [2]
    assert worst[1].missed == (COCO["annotations"][2],)


def has(tile: np.ndarray, colour: tuple[int, int, int], box: tuple[int, ...]) -> bool:
    """Whether the edge of a box, in px of the picture, is drawn in a colour."""
    scale = TILE_PX / SIDE
    x, y, _, height = (round(value * scale) for value in box)
    middle = tile[HEAD_PX + y + height // 2, x - 3 : x + 4]
    return bool((middle == colour).all(-1).any())


def test_what_is_wrong_is_drawn_where_it_is() -> None:
    worst = worst_cases(compared(COCO, SEEN, 0.5))
    frames = [(n, np.full((SIDE, SIDE, 3), 128, np.uint8)) for n in range(4)]
    sheet = case_sheet(worst, frames, CATEGORIES)
    assert sheet.shape == (2 * HEAD_PX + TILE_PX, COLUMNS * TILE_PX, 3)
    tiles = [sheet[HEAD_PX:, n * TILE_PX : (n + 1) * TILE_PX] for n in range(3)]
    assert has(tiles[0], FALSE, LEFT) and has(tiles[0], FALSE, RIGHT)
    assert has(tiles[1], MISSED, RIGHT) and not has(tiles[1], MISSED, LEFT)
    assert not (tiles[2] == MISSED).all(-1).any() and not (tiles[2] == FALSE).all(-1).any()
    bottom = tiles[2][
        HEAD_PX + round(50 * TILE_PX / SIDE) - 4 : HEAD_PX + round(50 * TILE_PX / SIDE) + 3
    ]
    assert (bottom == FOUND).all(-1).any()


def test_no_fault_makes_no_case() -> None:
    assert worst_cases(compared(COCO, SEEN, 0.5)[:1]) == []
