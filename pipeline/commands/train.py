"""`witness train`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.pretty import Pretty

from pipeline.commands.own_data import train_own
from pipeline.commands.own_request import OwnRequest
from pipeline.commands.recipes import SourceFrames, finish, frames_of
from pipeline.errors import ConfigError
from pipeline.media.audio import read_mono

if TYPE_CHECKING:
    from models.card import Card
    from models.training.action_data import Part
    from models.training.street import StreetPart


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What the command line asked for.

    `source` and `labels` are of a scene of the user's own, `own` is for labelled files of theirs;
    `alone` names options that were given without such files and need them.
    """

    network: str
    out: Path
    given: Path | None = None
    seed: int = 0
    steps: int | None = None
    source: str | None = None
    labels: Path | None = None
    own: OwnRequest | None = None
    alone: tuple[str, ...] = ()


def train_command(request: TrainRequest) -> int:
    """0, or 2 for bad usage, or 3 when data is missing or will not do; 130 after Ctrl-C."""
    console = Console()

    def work() -> None:
        _check(request)
        with _told(console):
            if request.own is not None:
                card = train_own(request.own, console)
            else:
                card = _RECIPES[request.network](request)
        file = request.out / f"{card.name}.safetensors"
        if request.own is None:
            console.print(f"held out, seen by neither training nor tuning, for {card.name}:")
            console.print(Pretty(card.heldout, max_depth=3, expand_all=False))
        use = "" if card.network == "frames" else f"; use it with `weights: {file}`"
        console.print(
            f"{escape(str(file))} and its card are written{use}",
            soft_wrap=True,
            highlight=False,
        )

    return finish(console, work)


def _check(request: TrainRequest) -> None:
    """ConfigError for options that do not go together or cannot be."""
    if request.alone:
        name = request.alone[0].replace("_", "-")
        message = f"--{name} is for data of your own: witness train {request.network} DATA --{name}"
        raise ConfigError(message)
    if request.own is not None and (request.given or request.source or request.labels):
        message = "DATA: --from, --source and --labels are for the recipes without DATA"
        raise ConfigError(message)
    if request.source and request.network != "instances":
        message = (
            f"--source: only `instances` learns from a scene of your own, not `{request.network}`"
        )
        raise ConfigError(message)
    if request.labels and not request.source:
        message = f"--labels {request.labels}: name the video that they belong to with --source"
        raise ConfigError(message)
    if request.steps is not None and request.steps < 1:
        message = f"--steps {request.steps}: at least 1 step is needed"
        raise ConfigError(message)
    if request.given is not None and not request.given.is_dir():
        message = f"--from {request.given}: no such folder"
        raise ConfigError(message)


@contextmanager
def _told(console: Console) -> Iterator[None]:
    """While the block runs, what recipes log is shown between their progress bars."""
    logger = logging.getLogger("models.training")
    handler = RichHandler(console=console, show_path=False, show_level=False)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _sound(request: TrainRequest) -> Card:
    from models.training.sound import train_sound

    return train_sound(
        request.out / "sound.safetensors",
        decode=_decode,
        given=request.given,
        seeds=(request.seed,),
        **_steps(request),
    )


def _action(request: TrainRequest) -> Card:
    from models.training.action import train_action
    from models.training.street import SPLIT, STREET, street

    train, heldout = (_part(half) for half in street(frames_of, request.given))
    return train_action(
        train,
        heldout,
        request.out / "street-action.safetensors",
        seed=request.seed,
        data=[STREET.for_card()],
        split=SPLIT,
        **_steps(request),
    )


def _frames(request: TrainRequest) -> Card:
    from models.training.frames import train_frames

    return train_frames(
        request.out / "digits-lenet5.safetensors",
        given=request.given,
        seed=request.seed,
        **_steps(request),
    )


def _part(half: StreetPart) -> Part:
    """One side of the split, labelled from its own frames alone."""
    from models.training.action_data import Part
    from models.training.label import label_scene
    from models.training.scene import median_background
    from models.training.street import RATE_HZ

    background = median_background(half)
    coco = label_scene(half, background=background)
    return Part(half, coco, background.rgb, half.indices, RATE_HZ)


def _instances(request: TrainRequest) -> Card:
    if request.source is not None:
        return _own_scene(request, SourceFrames(request.source))
    from models.training.street_people import train_street_people

    return train_street_people(
        request.out / "street-people.safetensors",
        frames_of=frames_of,
        given=request.given,
        seed=request.seed,
        **_steps(request),
    )


def _own_scene(request: TrainRequest, read: SourceFrames) -> Card:
    labels = _own_labels(request, read)
    from models.training.own_scene import train_instances

    return train_instances(
        labels,
        read,
        request.out / "instances.safetensors",
        seed=request.seed,
        **_steps(request),
    )


def _own_labels(request: TrainRequest, read: SourceFrames) -> dict[str, Any]:
    """The user's COCO labels; without any, the scene labels itself."""
    if request.labels is None:
        from models.training.label import label_scene

        return label_scene(read)
    try:
        labels = json.loads(request.labels.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"--labels {request.labels}: not a COCO JSON file that can be read: {error}"
        raise ConfigError(message) from error
    if not isinstance(labels, dict) or not {"images", "annotations", "categories"} <= labels.keys():
        message = f"--labels {request.labels}: COCO JSON has images, annotations and categories"
        raise ConfigError(message)
    return labels


def _steps(request: TrainRequest) -> dict[str, Any]:
    """The recipe's own number of steps unless another was asked for."""
    return {} if request.steps is None else {"steps": request.steps}


def _decode(path: Path, sample_rate: int) -> NDArray[np.float32]:
    return read_mono(str(path), sample_rate)


_RECIPES = {
    "sound": _sound,
    "action": _action,
    "instances": _instances,
    "frames": _frames,
}
