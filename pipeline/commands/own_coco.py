"""Pictures of one's own with COCO labels: checked, learnt from, and judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.commands.own_media import read_picture
from pipeline.commands.own_report import DataError, show_counts, tell
from pipeline.commands.own_request import OwnRequest, chosen, name_of, settings_of, workplace
from pipeline.errors import ConfigError, SourceError
from pipeline.whole import whole_file

if TYPE_CHECKING:
    from models.card import Card
    from models.training.coco_dataset import CocoDataset
    from models.training.coco_split import CocoParts
    from models.training.instance_recipes import InstanceRecipe
    from models.training.judge_instances import Judged
    from models.training.loop import TrainingLog

NOT_FOR_MASKS = ("dropout", "label_smoothing")


@dataclass(frozen=True, slots=True)
class CheckedCoco:
    """Labels that are whole, of pictures that can be read, and the sha256 of each picture."""

    dataset: CocoDataset
    digests: dict[Path, str]


def checked_coco(
    path: Path, root: Path | None, console: Console, *, judging: bool = False
) -> CheckedCoco:
    """COCO labels whose masks and pictures will do, after what was left out was told.

    DataError when labels and pictures do not match, or when a picture is there twice. For
    `judging`, categories may be empty and pictures few.
    """
    from models.training.coco_dataset import FEWEST, read_coco
    from models.training.dataset import DatasetError, Example
    from models.training.dataset_split import contents

    if root is not None and not root.is_dir():
        message = f"--root {root}: no such folder"
        raise ConfigError(message)
    try:
        dataset = read_coco(path, root, judging=judging)
        lost = _unreadable(dataset)
        tell(console, [f"left out: {why}" for why in lost.values()])
        dataset = dataset.without(lost).whole()
    except DatasetError as error:
        raise DataError(str(error)) from error
    digests = contents(Example(file, "") for file in dataset.files.values())
    names: dict[str, Path] = {}
    for file, digest in digests.items():
        if (other := names.setdefault(digest, file)) != file:
            message = f"the same picture twice: {other.name} and {file.name}; remove one of them"
            raise DataError(message)
    if len(dataset.files) < (1 if judging else FEWEST):
        message = f"{path}: {len(dataset.files)} images can be used; {FEWEST} are needed"
        raise DataError(message)
    return CheckedCoco(dataset, digests)


def _unreadable(dataset: CocoDataset) -> dict[int, str]:
    """Why pictures cannot be read, by image id; DataError when one is of another size."""
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
    return lost


def read_frames(dataset: CocoDataset) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The pictures by image id, RGB, in order of the ids."""
    for number, file in sorted(dataset.files.items()):
        yield number, read_picture(file)


def train_coco(request: OwnRequest, console: Console) -> Card:
    """The card of an instances network trained on the labels, written to the request's folder."""
    from models.training.own_instances import train_own_instances

    recipe = _recipe(request)
    checked = checked_coco(request.data, request.root, console)
    parts = _split(checked, recipe, console)
    about = {"name": request.data.name, "sha256_16": _digest(checked)}
    with workplace(request, console) as place:
        try:
            trained = train_own_instances(
                parts, read_frames, recipe, place, about, name_of(request.data)
            )
        except ValueError as error:
            raise DataError(str(error)) from error
    show_judged(console, trained.test)
    write_sheet(request.out, trained.test)
    _write_curves(request.out, trained.log)
    place.state_path.unlink(missing_ok=True)
    return trained.card


def _recipe(request: OwnRequest) -> InstanceRecipe:
    """The recipe as asked for; ConfigError for options that cannot be."""
    from models.runtime.base import PRECISIONS
    from models.runtime.eager import missing_bfloat16
    from models.training.errors import TrainingError
    from models.training.instance_recipes import INSTANCES

    options = {name: value for name, value in request.options.items() if value is not None}
    for name in NOT_FOR_MASKS:
        if name in options:
            message = f"--{name.replace('_', '-')}: a Mask R-CNN here has none; leave it out"
            raise ConfigError(message)
    precision, weights = options.pop("precision", "float32"), options.pop("weights", None)
    recipe = chosen(INSTANCES, request.recipe, "compact")
    try:
        if request.trunk is not None:
            recipe = recipe.with_trunk(request.trunk)
        if weights is not None:
            recipe = recipe.starting_with(weights)
    except TrainingError as error:
        raise ConfigError(str(error)) from error
    if precision not in PRECISIONS:
        message = f"--precision {precision}: there are {', '.join(PRECISIONS)}"
        raise ConfigError(message)
    if (missing := missing_bfloat16(precision, "cpu")) is not None:
        message = f"--precision {precision}: {missing}"
        raise ConfigError(message)
    settings = settings_of(recipe.settings, replace(request, options=options))
    return replace(recipe, settings=settings, precision=precision)


def _split(checked: CheckedCoco, recipe: InstanceRecipe, console: Console) -> CocoParts:
    """The pictures by split, after everything that was noticed was told."""
    from models.training.coco_split import imbalance, label_counts, split_coco
    from models.training.dataset import DatasetError
    from models.training.dataset_split import UNEVEN

    try:
        parts = split_coco(checked.dataset, checked.digests, recipe.settings.seed)
    except DatasetError as error:
        raise DataError(str(error)) from error
    if (ratio := imbalance(checked.dataset)) >= UNEVEN:
        often = "" if recipe.settings.class_weights else "NOT "
        told = f"pictures of labels are uneven by {ratio:.1f} to 1"
        tell(console, [f"{told}: those of rare ones are {often}shown more often"])
    counts = label_counts(parts)
    tell(
        console,
        [
            f"no label of {name} is in the {split} split"
            for name, row in counts.items()
            for split, count in row.items()
            if not count
        ],
    )
    pictures = ", ".join(f"{len(part.files)} {split}" for split, part in parts.items())
    show_counts(console, counts, title="labels")
    console.print(f"pictures: {pictures}", highlight=False)
    return parts


def _digest(checked: CheckedCoco) -> str:
    from models.training.coco_split import coco_digest

    return coco_digest(checked.dataset, checked.digests)


def judge_coco(
    checkpoint: str, card: Card, path: Path, root: Path | None, out: Path, console: Console
) -> dict[str, Any]:
    """COCO's average precision and the counts at the card's score, as told and as figures.

    Writes worst.png into `out`.
    """
    from models.mask_rcnn import load_segmenter
    from models.training.judge_instances import LOWEST_SCORE, judge

    dataset = checked_coco(path, root, console, judging=True).dataset
    labels = dataset.counts().keys()
    if strange := sorted(labels - set(card.labels)):
        message = (
            f"labels that do not match: the data has {', '.join(strange)}, which {card.name} does "
            f"not know; it knows {', '.join(card.labels)}"
        )
        raise DataError(message)
    if unjudged := sorted(set(card.labels) - labels):
        tell(console, [f"not judged, the data has no such category: {', '.join(unjudged)}"])
    segmenter = load_segmenter(checkpoint, score_threshold=LOWEST_SCORE)
    min_score = float(card.postprocessing.get("min_score", 0.5))
    judged = judge(segmenter, dataset, read_frames, min_score)
    show_judged(console, judged)
    write_sheet(out, judged)
    return judged.figures


def show_judged(console: Console, judged: Judged) -> None:
    """A table of AP and AP50 of every label, and the counts at the card's score."""
    measures = ("box_AP", "box_AP50", "mask_AP", "mask_AP50")
    table = Table("label", "labels", *measures, title="on held-out data, by pycocotools")
    for label, row in judged.figures["labels"].items():
        numbers = ("-" if row[name] is None else f"{row[name]:.3f}" for name in measures)
        table.add_row(escape(label), str(row["labels"]), *numbers)
    table.add_section()
    total = (f"{judged.figures[name]:.3f}" for name in measures)
    table.add_row("all", "", *total)
    console.print(table)
    for name, row in judged.figures.items():
        if name.startswith("at_score_"):
            console.print(
                f"from score {name.removeprefix('at_score_')} on: {row['found']} of "
                f"{row['labelled']} labels found, {row['false']} false detections",
                highlight=False,
            )


def write_sheet(out: Path, judged: Judged) -> None:
    """Writes worst.png, if any picture has a fault; OutputError when that cannot be."""
    from models.training.curves import png

    if judged.sheet is None:
        return
    with whole_file(out / "worst.png") as part:
        part.write_bytes(png(judged.sheet[..., ::-1]))


def _write_curves(out: Path, log: TrainingLog) -> None:
    from models.training.curves import learning_curves, png

    with whole_file(out / "curves.png") as part:
        part.write_bytes(png(learning_curves(log.losses, log.scores, "mask AP")))
