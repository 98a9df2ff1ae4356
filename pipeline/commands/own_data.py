"""`witness train NETWORK DATA`: data of one's own, checked, split, learnt from, judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.markup import escape

from pipeline.commands.own_media import listen, watch
from pipeline.commands.own_report import (
    BoardWriter,
    DataError,
    make_folder,
    show_counts,
    show_scores,
    show_unreadable,
    tell,
    write_pictures,
)
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from models.card import Card
    from models.training.dataset import Example
    from models.training.dataset_split import Parts
    from models.training.settings import Settings, Trained, Workplace

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """What the command line asked for; `options` are those of `Settings` that were given."""

    network: str
    data: Path
    out: Path
    recipe: str | None = None
    trunk: str | None = None
    root: Path | None = None
    resume: bool = False
    tensorboard: bool = False
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """Data that will do: the examples that can be read, by split, and what a card says of them."""

    parts: Parts
    about: dict[str, Any]


def train_own(request: OwnRequest, console: Console) -> Card:
    """The card of the checkpoint as written; DataError or ConfigError says what will not do."""
    from models.training.dataset import DatasetError
    from models.training.errors import TrainingError
    from models.training.settings import Workplace

    if request.network == "instances":
        return _coco(request, console)
    make_folder(request.out)
    board = BoardWriter(request.out / "tensorboard") if request.tensorboard else None
    place = Workplace(request.out, request.resume, board)
    if request.resume and not place.state_path.is_file():
        console.print(f"{escape(str(request.out))} keeps no run to resume: begins anew")
    try:
        trained = _NETWORKS[request.network](request, console, place)
    except (DatasetError, TrainingError) as error:
        raise DataError(str(error)) from error
    except KeyboardInterrupt:
        if place.state_path.is_file():
            console.print("the run is kept: give the same command with --resume to go on")
        raise
    finally:
        if board is not None:
            board.close()
    show_scores(console, trained.test)
    write_pictures(request.out, trained)
    place.state_path.unlink(missing_ok=True)
    return trained.card


def _coco(request: OwnRequest, console: Console) -> Card:
    from pipeline.commands.own_coco import train_coco

    switches = {"resume": request.resume or None, "tensorboard": request.tensorboard or None}
    options = {**request.options, **switches, "recipe": request.recipe, "trunk": request.trunk}
    name = name_of(request.data)
    return train_coco(request.data, request.root, request.out, name, options, console)


def _sounds(request: OwnRequest, console: Console, place: Workplace) -> Trained:
    from models.training.dataset import CLIPS, SOUNDS
    from models.training.own_sounds import train_own_sounds
    from models.training.recordings import load_sounds
    from models.training.sound_recipes import RECIPES

    _no_trunk(request)
    recipe = chosen(RECIPES, request.recipe, "wavenet")
    examples = read(request, SOUNDS | CLIPS)
    console.print(f"reading {len(examples)} labelled sounds")
    recordings = load_sounds(examples, listen, recipe.sample_rate)
    settings = settings_of(recipe.settings, request)
    checked = check(request, console, examples, recordings.unreadable, settings)
    return train_own_sounds(
        checked.parts,
        recordings,
        recipe,
        settings,
        place,
        checked.about,
        name_of(request.data),
    )


def _clips(request: OwnRequest, console: Console, place: Workplace) -> Trained:
    from models.training.clip_recipes import ACTION, FRAMES
    from models.training.clip_sequences import load_clips
    from models.training.dataset import CLIPS, PICTURES
    from models.training.own_clips import train_own_clips

    of_frames = request.network == "frames"
    recipe = (
        chosen(FRAMES, request.recipe, "cnn")
        if of_frames
        else chosen(ACTION, request.recipe, "cnn-gru")
    )
    if request.trunk is not None:
        recipe = replace(recipe, cnn=recipe.with_trunk(request.trunk))
    settings = settings_of(recipe.settings, request)
    examples = read(request, CLIPS | PICTURES if of_frames else CLIPS)
    console.print(f"reading {len(examples)} labelled {'files' if of_frames else 'clips'}")
    size = (recipe.cnn["width"], recipe.cnn["height"])
    clips = load_clips(examples, watch, recipe.rate_hz, size, recipe.least)
    checked = check(request, console, examples, clips.unreadable, settings)
    return train_own_clips(
        checked.parts,
        clips,
        recipe,
        settings,
        place,
        checked.about,
        name_of(request.data),
    )


_NETWORKS: dict[str, Callable[[OwnRequest, Console, Workplace], Trained]] = {
    "sound": _sounds,
    "action": _clips,
    "frames": _clips,
}


def read(request: OwnRequest, endings: Collection[str]) -> list[Example]:
    """The labelled files of a request."""
    from models.training.dataset import read_dataset

    if request.root is not None and not request.root.is_dir():
        message = f"--root {request.root}: no such folder"
        raise ConfigError(message)
    return read_dataset(request.data, endings, request.root)


def check(
    request: OwnRequest,
    console: Console,
    examples: Sequence[Example],
    unreadable: dict[Example, str],
    settings: Settings,
) -> Checked:
    """The split of what can be read, after everything that was noticed was told."""
    from models.training.dataset import DatasetError
    from models.training.dataset_split import (
        UNEVEN,
        check_labels,
        contents,
        counts,
        dataset_digest,
        imbalance,
        split_dataset,
    )

    show_unreadable(console, unreadable)
    good = [example for example in examples if example not in unreadable]
    lost = sorted({one.label for one in examples} - {one.label for one in good})
    if lost:
        message = f"{lost[0]}: none of its files can be used; see what was left out and why"
        raise DatasetError(message)
    digests = contents(good)
    tell(console, check_labels(good, digests))
    parts = split_dataset(good, digests, settings.seed)
    if imbalance(good) >= UNEVEN:
        weighted = "count more" if settings.class_weights else "do NOT count more"
        told = f"classes are uneven by {imbalance(good):.1f} to 1: rare ones {weighted}"
        tell(console, [told])
    show_counts(console, counts(parts))
    about = {"name": request.data.name, "sha256_16": dataset_digest(good, digests)}
    return Checked(parts, about)


def chosen(recipes: dict[str, R], name: str | None, default: str) -> R:
    """The recipe of that name; ConfigError tells which there are."""
    if (name or default) not in recipes:
        message = f"--recipe {name}: there are {', '.join(recipes)}"
        raise ConfigError(message)
    return recipes[name or default]


def settings_of(settings: Settings, request: OwnRequest) -> Settings:
    """The recipe's settings with those that were asked for; ConfigError for impossible ones."""
    from models.training.extras import SCHEDULES

    known = {one.name for one in fields(settings)}
    given = {name: value for name, value in request.options.items() if value is not None}
    made = replace(settings, **{name: given[name] for name in given if name in known})
    wrong = [
        (made.steps < 1, f"--steps {made.steps}: at least 1 step is needed"),
        (made.batch < 1, f"--batch {made.batch}: at least 1 example is needed"),
        (not made.learning_rate > 0, f"--learning-rate {made.learning_rate}: more than 0 is"),
        (made.weight_decay < 0, f"--weight-decay {made.weight_decay}: it is 0 or more"),
        (not 0 <= made.dropout < 1, f"--dropout {made.dropout}: it is from 0 to below 1"),
        (
            not 0 <= made.label_smoothing < 1,
            f"--label-smoothing {made.label_smoothing}: it is from 0 to below 1",
        ),
        (
            made.schedule not in SCHEDULES,
            f"--schedule {made.schedule}: there are {', '.join(SCHEDULES)}",
        ),
        (made.check_every < 1, f"--check-every {made.check_every}: at least 1 step is needed"),
        (
            made.patience is not None and made.patience < 1,
            f"--patience {made.patience}: at least 1 check is needed",
        ),
    ]
    for broken, message in wrong:
        if broken:
            raise ConfigError(message)
    return made


def name_of(data: Path) -> str:
    """The name of a checkpoint after its data."""
    return data.resolve().stem or "own"


def _no_trunk(request: OwnRequest) -> None:
    if request.trunk is not None:
        message = f"--trunk {request.trunk}: only `frames` and `action` have a frame CNN to choose"
        raise ConfigError(message)
