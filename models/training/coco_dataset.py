"""Pictures of one's own with COCO labels: the JSON file, and the pictures that it names."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.coco_masks import flaw_of
from models.training.dataset import DatasetError
from models.training.instance_data import completed

Coco = dict[str, Any]

FEWEST = 10


@dataclass(frozen=True, slots=True)
class CocoDataset:
    """Checked COCO labels, and the picture file of every image id."""

    coco: Coco
    files: dict[int, Path]

    def sizes(self) -> dict[int, tuple[int, int]]:
        """(width, height) of every image id."""
        return {one["id"]: (one["width"], one["height"]) for one in self.coco["images"]}

    def counts(self) -> dict[str, int]:
        """How many labels each category has; a crowd is none."""
        names = {one["id"]: one["name"] for one in self.coco["categories"]}
        found = dict.fromkeys(names.values(), 0)
        for annotation in self.coco["annotations"]:
            if not annotation.get("iscrowd"):
                found[names[annotation["category_id"]]] += 1
        return found

    def without(self, ids: Collection[int]) -> CocoDataset:
        """The same without those images and their labels."""
        images = [one for one in self.coco["images"] if one["id"] not in ids]
        labels = [one for one in self.coco["annotations"] if one["image_id"] not in ids]
        kept = {number: path for number, path in self.files.items() if number not in ids}
        return CocoDataset({**self.coco, "images": images, "annotations": labels}, kept)

    def only(self, ids: Collection[int]) -> CocoDataset:
        """The same with those images and their labels alone."""
        return self.without(self.files.keys() - set(ids))

    def kinds(self) -> dict[int, set[str]]:
        """The categories that each image has labels of; a crowd is none."""
        names = {one["id"]: one["name"] for one in self.coco["categories"]}
        found: dict[int, set[str]] = {number: set() for number in self.files}
        for one in self.coco["annotations"]:
            if not one.get("iscrowd"):
                found[one["image_id"]].add(names[one["category_id"]])
        return found

    def whole(self) -> CocoDataset:
        """The same with what COCO lets out: masks as run lengths, boxes, areas, `iscrowd`.

        DatasetError when a mask or a box cannot be what it claims; the first one is named.
        """
        sizes = self.sizes()
        flaws = [
            (one, flaw)
            for one in self.coco["annotations"]
            if (flaw := flaw_of(one, sizes[one["image_id"]])) is not None
        ]
        if flaws:
            one, flaw = flaws[0]
            more = f" (and {len(flaws) - 1} more labels will not do)" if len(flaws) > 1 else ""
            file = self.files[one["image_id"]].name
            message = f"{file}: label {one.get('id', 'without an id')} {flaw}{more}"
            raise DatasetError(message)
        # Numbered anew, from 1: to pycocotools a label 0 is none, and of two alike one is lost.
        numbered = enumerate(self.coco["annotations"], start=1)
        labels = [{**one, "id": number} for number, one in numbered]
        return CocoDataset(completed({**self.coco, "annotations": labels}), self.files)


def read_coco(path: Path, root: Path | None = None, *, judging: bool = False) -> CocoDataset:
    """The labels of a JSON file, checked; no picture is opened.

    Pictures lie in `root`, or beside the file. DatasetError when it is not COCO, when ids are not
    known or not unique, and, unless it is for `judging` alone, when a category is empty or when
    there are too few images.
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
        # Absolute: whoever reads them may run in another folder.
        folder = (root or path.parent).absolute()
        files = {image["id"]: folder / image["file_name"] for image in coco["images"]}
        dataset = CocoDataset(coco, files)
        flaw = _flaw(dataset) or (None if judging else _lack(dataset))
    except (KeyError, TypeError) as error:
        message = f"{path}: not whole: {error} is missing or of the wrong kind"
        raise DatasetError(message) from error
    if flaw is not None:
        message = f"{path}: {flaw}"
        raise DatasetError(message)
    return dataset


def _flaw(dataset: CocoDataset) -> str | None:
    """What does not fit together in the lists, None when all of it does."""
    coco, sizes = dataset.coco, dataset.sizes()
    names = {one["id"]: one["name"] for one in coco["categories"]}
    if len(sizes) < len(coco["images"]) or len(set(names.values())) < len(coco["categories"]):
        return "an id or a category name occurs twice"
    for number, (width, height) in sizes.items():
        if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
            return f"image {number} cannot be {width}x{height}"
    for one in coco["annotations"]:
        if one["image_id"] not in sizes:
            return f"a label is of image {one['image_id']}, which is not there"
        if one["category_id"] not in names:
            return f"a label is of category {one['category_id']}, which is not there"
        if "bbox" in one and not _is_box(one["bbox"]):
            return f"label {one.get('id')} has a box that is none: {one['bbox']}"
    return None


def _is_box(box: Any) -> bool:
    """Whether it is x, y, width, height."""
    numbers = isinstance(box, list) and all(isinstance(value, int | float) for value in box)
    return numbers and len(box) == 4 and all(map(math.isfinite, box)) and min(box[2:]) >= 0


def _lack(dataset: CocoDataset) -> str | None:
    """What is too little to learn from, None when there is enough."""
    empty = sorted(name for name, count in dataset.counts().items() if not count)
    if empty:
        return f"the category {empty[0]} has no label; add some or remove it"
    if len(dataset.files) < FEWEST:
        return f"{len(dataset.files)} images; at least {FEWEST} are needed"
    return None
