"""`witness train NETWORK DATA`: data of one's own, checked, split, learnt from, judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.commands.own_media import listen, watch
from pipeline.commands.own_report import (
    show_compared,
    show_counts,
    show_scores,
    show_unreadable,
    tell,
    write_pictures,
)
from pipeline.commands.own_request import (
    OwnRequest,
    check_taught,
    chosen,
    name_of,
    settings_of,
    teacher_of,
    workplace,
)
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from models.card import Card
    from models.training.dataset import Example
    from models.training.dataset_split import Parts
    from models.training.settings import Settings, Trained, Workplace


@dataclass(frozen=True, slots=True)
class Checked:
    """Data that will do: the examples that can be read, by split, and what a card says of them."""

    parts: Parts
    about: dict[str, Any]


def train_own(request: OwnRequest, console: Console) -> Card:
    """The card of the checkpoint as written; DataError or ConfigError says what will not do."""
    check_taught(request)
    if request.network == "instances":
        from pipeline.commands.own_coco import train_coco

        return train_coco(request, console)
    with workplace(request, console) as place:
        trained = _NETWORKS[request.network](request, console, place)
    show_scores(console, trained.test)
    if trained.compared:
        show_compared(console, trained.compared)
    write_pictures(request.out, trained)
    place.state_path.unlink(missing_ok=True)
    return trained.card


def _sounds(request: OwnRequest, console: Console, place: Workplace) -> Trained:
    from models.training.dataset import CLIPS, SOUNDS
    from models.training.distil import sound_teacher
    from models.training.own_sounds import train_own_sounds
    from models.training.recordings import load_sounds
    from models.training.sound_recipes import RECIPES

    _no_trunk(request)
    recipe = chosen(RECIPES, request.recipe, "wavenet")
    teacher = teacher_of(request, sound_teacher)
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
        teacher,
    )


def _clips(request: OwnRequest, console: Console, place: Workplace) -> Trained:
    from models.training.clip_recipes import ACTION, FRAMES
    from models.training.clip_sequences import load_clips
    from models.training.dataset import CLIPS, PICTURES
    from models.training.distil import frame_teacher
    from models.training.own_clips import train_own_clips
    from models.training.own_snippets import train_own_snippets

    of_frames = request.network == "frames"
    recipe = (
        chosen(FRAMES, request.recipe, "cnn")
        if of_frames
        else chosen(ACTION, request.recipe, "cnn-gru")
    )
    teacher = teacher_of(request, frame_teacher)
    if request.trunk is not None:
        recipe = replace(recipe, cnn=recipe.with_trunk(request.trunk))
    settings = settings_of(recipe.settings, request)
    examples = read(request, CLIPS | PICTURES if of_frames else CLIPS)
    console.print(f"reading {len(examples)} labelled {'files' if of_frames else 'clips'}")
    size = (recipe.cnn["width"], recipe.cnn["height"])
    clips = load_clips(examples, watch, recipe.rate_hz, size, recipe.least)
    checked = check(request, console, examples, clips.unreadable, settings)
    name = name_of(request.data)
    if recipe.snippets:
        return train_own_snippets(
            checked.parts, clips, recipe, settings, place, checked.about, name
        )
    return train_own_clips(
        checked.parts, clips, recipe, settings, place, checked.about, name, teacher
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


def _no_trunk(request: OwnRequest) -> None:
    if request.trunk is not None:
        message = f"--trunk {request.trunk}: only `frames` and `action` have a frame CNN to choose"
        raise ConfigError(message)
