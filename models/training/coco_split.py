"""Which pictures with COCO labels teach, which tune, which judge: by content, a rare label first.

A picture may show several kinds of things. It counts as one of the rarest kind that it shows, so
that every kind is in every part where there are enough pictures of it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from models.training.coco_dataset import CocoDataset
from models.training.dataset import SPLITS, DatasetError, Example, Split
from models.training.dataset_split import SHARES, split_dataset

CocoParts = dict[Split, CocoDataset]

NOTHING = ""
"""The label of a picture that shows none of the categories."""


def split_coco(dataset: CocoDataset, digests: Mapping[Path, str], seed: int = 0) -> CocoParts:
    """The pictures by split, as `split_dataset` cuts files; `digests` are of their content.

    An image may have a `split` and a `group` (what must not be torn apart: a film, a camera, a
    day). DatasetError when a category has too few pictures, or none that teaches.
    """
    rarest = _rarest(dataset)
    idle = Counter(rarest.values())[NOTHING]
    spare: list[int] = []
    examples: dict[Example, int] = {}
    for image in dataset.coco["images"]:
        number, split, group = image["id"], image.get("split"), str(image.get("group", ""))
        if split is not None and split not in SPLITS:
            message = (
                f"{dataset.files[number].name}: its split is {split!r}, not {' or '.join(SPLITS)}"
            )
            raise DatasetError(message)
        # Too few pictures of nothing to cut in three: they teach.
        if rarest[number] == NOTHING and idle <= len(SHARES) and not (split or group):
            spare.append(number)
        else:
            example = Example(dataset.files[number], rarest[number], split=split, group=group)
            examples[example] = number
    parts = split_dataset(list(examples), digests, seed)
    ids = {split: [examples[one] for one in members] for split, members in parts.items()}
    ids["train"] += spare
    made = {split: dataset.only(ids[split]) for split in SPLITS}
    for name, count in made["train"].counts().items():
        if not count:
            message = f"{name}: no picture of it is in the train split; another --seed may do"
            raise DatasetError(message)
    return made


def _rarest(dataset: CocoDataset) -> dict[int, str]:
    """The label of each image that the fewest images have."""
    kinds = dataset.kinds()
    shown = Counter(name for names in kinds.values() for name in names)
    return {
        number: min(names, key=lambda name: (shown[name], name), default=NOTHING)
        for number, names in kinds.items()
    }


def label_counts(parts: CocoParts) -> dict[str, dict[Split, int]]:
    """How many labels of each category each split has."""
    counted = {split: part.counts() for split, part in parts.items()}
    return {name: {split: counted[split][name] for split in SPLITS} for name in counted["train"]}


def imbalance(dataset: CocoDataset) -> float:
    """The pictures of the most frequent category over those of the least frequent one."""
    shown = Counter(name for names in dataset.kinds().values() for name in names)
    return max(shown.values()) / min(shown.values())


def coco_digest(dataset: CocoDataset, digests: Mapping[Path, str]) -> str:
    """What tells two sets of labels apart, in 16 hex digits: pictures and labels, not paths."""
    names = {one["id"]: one["name"] for one in dataset.coco["categories"]}
    labels: dict[int, list[str]] = {number: [] for number in dataset.files}
    for one in dataset.coco["annotations"]:
        told = [names[one["category_id"]], one.get("iscrowd", 0), one.get("segmentation")]
        labels[one["image_id"]].append(json.dumps(told, sort_keys=True, default=bytes.decode))
    rows = sorted(
        f"{digests[dataset.files[one['id']]]} {one.get('split')} {one.get('group')} "
        f"{sorted(labels[one['id']])}"
        for one in dataset.coco["images"]
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
