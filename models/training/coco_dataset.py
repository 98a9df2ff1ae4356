"""Pictures of one's own with COCO labels: the JSON file, and the pictures that it names."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from models.training.dataset import DatasetError
from models.training.instance_data import Picture, completed, decode

Coco = dict[str, Any]

FEWEST = 10


@dataclass(frozen=True, slots=True)
class CocoDataset:
    """Checked COCO labels, and the picture file of every image id."""

    coco: Coco
    files: dict[int, Path]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) that holds every picture."""
        images = self.coco["images"]
        return max(one["width"] for one in images), max(one["height"] for one in images)

    def sizes(self) -> dict[int, tuple[int, int]]:
        """(width, height) of every image id."""
        return {one["id"]: (one["width"], one["height"]) for one in self.coco["images"]}

    def counts(self) -> dict[str, int]:
        """How many labels each category has."""
        names = {one["id"]: one["name"] for one in self.coco["categories"]}
        found = dict.fromkeys(names.values(), 0)
        for annotation in self.coco["annotations"]:
            found[names[annotation["category_id"]]] += 1
        return found

    def without(self, ids: set[int]) -> CocoDataset:
        """The same without those images and their labels."""
        images = [one for one in self.coco["images"] if one["id"] not in ids]
        labels = [one for one in self.coco["annotations"] if one["image_id"] not in ids]
        kept = {number: path for number, path in self.files.items() if number not in ids}
        return CocoDataset({**self.coco, "images": images, "annotations": labels}, kept)

    def padded(self) -> Coco:
        """The labels for pictures that are all padded, right and below, to the largest size.

        DatasetError when a label has no mask, or one that does not fit its image.
        """
        try:
            coco = completed(self.coco)
        except (ValueError, KeyError, TypeError) as error:
            message = f"the labels will not do: {error}"
            raise DatasetError(message) from error
        sizes, (width, height) = self.sizes(), self.size
        images = [{**one, "width": width, "height": height} for one in coco["images"]]
        labels = []
        for one in coco["annotations"]:
            bitmap = decode(one, sizes[one["image_id"]])
            grown = np.zeros((height, width), np.uint8, order="F")
            grown[: bitmap.shape[0], : bitmap.shape[1]] = bitmap
            labels.append({**one, "segmentation": coco_mask.encode(grown)})
        return {**coco, "images": images, "annotations": labels}


def pad(picture: Picture, size: tuple[int, int]) -> Picture:
    """(height, width, 3) of `size` (width, height): the picture at its top left, black around."""
    grown = np.zeros((size[1], size[0], 3), np.uint8)
    grown[: picture.shape[0], : picture.shape[1]] = picture
    return grown


def read_coco(path: Path, root: Path | None = None) -> CocoDataset:
    """The labels of a JSON file, checked; no picture is opened.

    Pictures lie in `root`, or beside the file. DatasetError when it is not COCO, when ids are not
    known or not unique, when a category is empty, or when there are too few images.
    """
    try:
        coco = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{path}: not a COCO JSON file that can be read ({error})"
        raise DatasetError(message) from error
    keys = ("images", "annotations", "categories")
    if not isinstance(coco, dict) or not all(isinstance(coco.get(key), list) for key in keys):
        message = f"{path}: COCO JSON has lists of images, annotations and categories"
        raise DatasetError(message)
    try:
        _check(path, coco)
        folder = root or path.parent
        files = {image["id"]: folder / image["file_name"] for image in coco["images"]}
    except (KeyError, TypeError) as error:
        message = f"{path}: not whole: {error} is missing or of the wrong kind"
        raise DatasetError(message) from error
    return CocoDataset(coco, files)


def _check(path: Path, coco: Coco) -> None:
    images = {one["id"]: (one["width"], one["height"]) for one in coco["images"]}
    names = {one["id"]: one["name"] for one in coco["categories"]}
    used: dict[int, int] = defaultdict(int)
    for one in coco["annotations"]:
        if one["image_id"] not in images:
            message = f"{path}: a label is of image {one['image_id']}, which is not there"
            raise DatasetError(message)
        if one["category_id"] not in names:
            message = f"{path}: a label is of category {one['category_id']}, which is not there"
            raise DatasetError(message)
        used[one["category_id"]] += 1
    empty = sorted(name for number, name in names.items() if not used[number])
    if len(images) < len(coco["images"]) or len(set(names.values())) < len(coco["categories"]):
        message = f"{path}: an id or a category name occurs twice"
    elif empty:
        message = f"{path}: the category {empty[0]} has no label; add some or remove it"
    elif len(images) < FEWEST:
        message = f"{path}: {len(images)} images; at least {FEWEST} are needed"
    else:
        return
    raise DatasetError(message)
