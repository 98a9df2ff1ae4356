"""A made stream: two dark people cross a bright street, one to the right, one to the left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

WIDTH, HEIGHT, FRAMES = 192, 144, 40
PEOPLE = {1: (20.0, 70, 2.0, 30), 2: (170.0, 120, -2.0, 45)}  # left, foot, speed, height


def background() -> NDArray[np.uint8]:
    """The street with nobody on it."""
    rows = np.linspace(150, 220, HEIGHT, dtype=np.uint8)
    return np.repeat(np.repeat(rows[:, None, None], WIDTH, 1), 3, 2)


def box(person: int, index: int) -> tuple[int, int, int, int]:
    """Left, top, width, height of a person in a frame."""
    left, foot, speed, tall = PEOPLE[person]
    return round(left + speed * index), foot - tall, tall // 3, tall


def frames() -> Iterable[tuple[int, NDArray[np.uint8]]]:
    """(index, RGB) of every frame."""
    for index in range(FRAMES):
        frame = background()
        for person in PEOPLE:
            left, top, wide, tall = box(person, index)
            frame[top : top + tall, left : left + wide] = (40, 30 * person, 60)
        yield index, frame


def coco() -> dict[str, Any]:
    """The labels of the stream, with tracks."""
    annotations = []
    for index in range(FRAMES):
        for person in PEOPLE:
            left, top, wide, tall = box(person, index)
            mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order="F")
            mask[top : top + tall, left : left + wide] = 1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": 1,
                    "bbox": [left, top, wide, tall],
                    "segmentation": coco_mask.encode(mask),
                    "track_id": person,
                }
            )
    images = [{"id": index, "width": WIDTH, "height": HEIGHT} for index in range(FRAMES)]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }
