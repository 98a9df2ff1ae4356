"""Pictures of two sizes with a red square in most and a blue disc in a few, and COCO labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.training.coco_dataset import CocoDataset
from models.training.coco_split import CocoParts, split_coco

COLOURS = {"square": (230, 40, 40), "disc": (40, 60, 230)}
SIDE = 28


def picture(number: int, kinds: list[str]) -> tuple[NDArray[np.uint8], list[NDArray[np.uint8]]]:
    """A picture of noise with those things beside each other, and their masks."""
    rng = np.random.default_rng(number)
    width, height = (96, 64) if number % 2 else (80, 72)
    image = rng.integers(90, 140, (height, width, 3)).astype(np.uint8)
    masks = []
    for place, kind in enumerate(kinds):
        left = 4 + place * (SIDE + 8) + int(rng.integers(0, 6))
        top = int(rng.integers(4, height - SIDE - 4))
        mask = np.zeros((height, width), np.uint8)
        if kind == "square":
            mask[top : top + SIDE, left : left + SIDE] = 1
        else:
            cv2.circle(mask, (left + SIDE // 2, top + SIDE // 2), SIDE // 2, 1, -1)
        image[mask > 0] = COLOURS[kind]
        masks.append(mask)
    return image, masks


def kinds_of(number: int) -> list[str]:
    """What a picture shows: one in three has a disc too, and every tenth shows nothing."""
    if number % 10 == 9:
        return []
    return ["square", "disc"] if number % 3 == 0 else ["square"]


def dataset(count: int = 20) -> CocoDataset:
    """The labels of so many pictures, whole; their files are named and not written."""
    labels: list[dict[str, Any]] = []
    images = []
    for number in range(count):
        image, masks = picture(number, kinds_of(number))
        height, width = image.shape[:2]
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
        )
        for kind, mask in zip(kinds_of(number), masks, strict=True):
            coded = coco_mask.encode(np.asfortranarray(mask))
            labels.append(
                {
                    "image_id": number,
                    "category_id": list(COLOURS).index(kind) + 1,
                    "segmentation": {**coded, "counts": coded["counts"].decode()},
                }
            )
    categories = [{"id": n, "name": name} for n, name in enumerate(COLOURS, start=1)]
    coco = {"images": images, "annotations": labels, "categories": categories}
    files = {number: Path(f"{number}.png") for number in range(count)}
    return CocoDataset(coco, files).whole()


def parts(count: int = 20) -> CocoParts:
    """The same by split."""
    whole = dataset(count)
    return split_coco(whole, {file: file.name for file in whole.files.values()})


def frames(part: CocoDataset) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures of a part by image id."""
    for number in sorted(part.files):
        yield number, picture(number, kinds_of(number))[0]
