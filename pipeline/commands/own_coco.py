"""Pictures of one's own with COCO labels: checked, learnt from, and judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.own_media import read_picture
from pipeline.commands.own_report import DataError, make_folder, tell
from pipeline.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from models.card import Card
    from models.training.coco_dataset import CocoDataset

Frames = Callable[[], Iterator[tuple[int, NDArray[np.uint8]]]]


def checked_coco(path: Path, root: Path | None, console: Console) -> CocoDataset:
    """COCO labels whose pictures can all be read, after what was left out was told.

    DataError when labels and pictures do not match, or when a picture is there twice.
    """
    from models.training.coco_dataset import FEWEST, read_coco
    from models.training.dataset import DatasetError, Example
    from models.training.dataset_split import contents

    try:
        dataset = read_coco(path, root)
    except DatasetError as error:
        raise DataError(str(error)) from error
    lost: dict[int, str] = {}
    for number, (width, height) in dataset.sizes().items():
        file = dataset.files[number]
        try:
            shape = read_picture(file).shape
        except SourceError as error:
            lost[number] = str(error)
            continue
        if shape[:2] != (height, width):
            message = f"{file}: it is {shape[1]}x{shape[0]}, its labels are for {width}x{height}"
            raise DataError(message)
    tell(console, [f"left out: {why}" for why in lost.values()])
    dataset = dataset.without(set(lost))
    digests = contents(Example(file, "") for file in dataset.files.values())
    names: dict[str, Path] = {}
    for file, digest in digests.items():
        if (other := names.setdefault(digest, file)) != file:
            message = f"the same picture twice: {other.name} and {file.name}; remove one of them"
            raise DataError(message)
    if len(dataset.files) < FEWEST:
        message = f"{path}: {len(dataset.files)} images can be used; {FEWEST} are needed"
        raise DataError(message)
    table = Table("label", "labels", title=f"{len(dataset.files)} pictures")
    for label, count in dataset.counts().items():
        table.add_row(escape(label), str(count))
    console.print(table)
    return dataset


def frames_of(dataset: CocoDataset) -> Frames:
    """The pictures by image id, in order of the ids, padded to one size."""
    from models.training.coco_dataset import pad

    def frames() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, file in sorted(dataset.files.items()):
            yield number, pad(read_picture(file), dataset.size)

    return frames


def train_coco(
    path: Path,
    root: Path | None,
    out: Path,
    name: str,
    options: dict[str, Any],
    console: Console,
) -> Card:
    """The card of an instances network trained on the labels, written to `out`."""
    from models.training.dataset import DatasetError
    from models.training.instances import train_instances

    known = {key: options.pop(key) for key in ("seed", "steps") if key in options}
    for key, value in options.items():
        if value is not None:
            message = f"--{key.replace('_', '-')}: not for `instances`, which takes --steps, --seed"
            raise ConfigError(message)
    dataset = checked_coco(path, root, console)
    given = {key: value for key, value in known.items() if value is not None}
    make_folder(out)
    file = out / f"{name}.safetensors"
    try:
        coco = dataset.padded()
        return train_instances(coco, frames_of(dataset), file, name=name, **given)
    except (DatasetError, ValueError) as error:
        raise DataError(str(error)) from error


def judge_coco(
    checkpoint: str, card: Card, path: Path, root: Path | None, console: Console
) -> dict[str, Any]:
    """COCO's average precision and the counts at the card's score, as told and as figures."""
    from models.mask_rcnn import load_segmenter
    from models.training.dataset import DatasetError
    from models.training.evaluate_instances import average_precision, detect, matches

    dataset = checked_coco(path, root, console)
    strange = sorted(dataset.counts().keys() ^ set(card.labels))
    if strange:
        message = (
            f"labels that do not match: {', '.join(strange)} is known to only one of the data and "
            f"{card.name}, which knows {', '.join(card.labels)}"
        )
        raise DataError(message)
    try:
        coco = dataset.padded()
    except DatasetError as error:
        raise DataError(str(error)) from error
    segmenter = load_segmenter(checkpoint, score_threshold=0.05)
    found = detect(segmenter, frames_of(dataset)(), coco["categories"])
    min_score = float(card.postprocessing.get("min_score", 0.5))
    at_score = matches(coco, found, min_score).to_json()
    figures: dict[str, Any] = {**average_precision(coco, found), f"at_score_{min_score}": at_score}
    table = Table("measure", "value", title="on this data")
    for name, value in {**figures, **at_score}.items():
        if isinstance(value, int | float):
            table.add_row(name, f"{value:g}")
    console.print(table)
    return {"pictures": len(dataset.files), **figures}
