"""`witness evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from models.card import Card, CheckpointError
from models.checkpoint import read_card
from pipeline.commands.own_media import listen, watch
from pipeline.commands.own_report import DataError, show_scores, show_unreadable, write_confusion
from pipeline.commands.recipes import finish
from pipeline.errors import ConfigError
from pipeline.whole import whole_file

if TYPE_CHECKING:
    from models.training.class_scores import ClassScores
    from models.training.dataset import Example


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What the command line asked for."""

    checkpoint: str
    data: Path
    out: Path
    root: Path | None = None
    split: str | None = None


def evaluate_command(request: EvaluateRequest) -> int:
    """0, or 2 for bad usage or a bad checkpoint, or 3 for data that will not do."""
    console = Console()

    def work() -> None:
        card = read_card(request.checkpoint)
        if card.network not in _JUDGES:
            message = f"{request.checkpoint}: a {card.network} network cannot be judged by labels"
            raise ConfigError(message)
        with whole_file(request.out / "evaluation.json") as part:
            figures = _JUDGES[card.network](request, card, console)
            told = {"checkpoint": card.name, "sha256": card.sha256, "data": request.data.name}
            part.write_text(json.dumps({**told, **figures}, indent=2) + "\n", encoding="utf-8")
        where = escape(str(request.out / "evaluation.json"))
        console.print(f"{where} holds the same figures", soft_wrap=True, highlight=False)

    return finish(console, work)


def _sounds(request: EvaluateRequest, card: Card, console: Console) -> dict[str, Any]:
    from models.training.dataset import CLIPS, SOUNDS
    from models.training.recordings import as_sounds, load_sounds
    from models.training.sound_score import score_sounds
    from models.wavenet import load_sound

    examples = _examples(request, card, SOUNDS | CLIPS)
    with _described(request):
        sample_rate = int(card.preprocessing["sample_rate"])
    recordings = load_sounds(examples, listen, sample_rate)
    show_unreadable(console, recordings.unreadable)
    kept = _kept(examples, recordings.unreadable)
    with _described(request):
        _, network = load_sound(request.checkpoint)
    scores = score_sounds(network, card.labels, as_sounds(kept, recordings))
    return _told(request, scores, len(recordings.unreadable), console)


def _clips(request: EvaluateRequest, card: Card, console: Console) -> dict[str, Any]:
    from models.clip import load_labeller
    from models.training.clip_scores import score_clips
    from models.training.clip_sequences import load_clips
    from models.training.dataset import CLIPS, PICTURES

    examples = _examples(request, card, CLIPS | PICTURES)
    with _described(request):
        rate_hz = float(card.preprocessing["rate_hz"])
        size = (int(card.preprocessing["width"]), int(card.preprocessing["height"]))
    clips = load_clips(examples, watch, rate_hz, size, 1)
    show_unreadable(console, clips.unreadable)
    with _described(request):
        _, network = load_labeller(request.checkpoint)
    scores = score_clips(network, card.labels, _kept(examples, clips.unreadable), clips)
    return _told(request, scores, len(clips.unreadable), console)


def _instances(request: EvaluateRequest, card: Card, console: Console) -> dict[str, Any]:
    from pipeline.commands.own_coco import judge_coco

    if request.split is not None:
        message = f"--split {request.split}: COCO labels name no splits"
        raise ConfigError(message)
    return judge_coco(request.checkpoint, card, request.data, request.root, request.out, console)


_JUDGES: dict[str, Callable[[EvaluateRequest, Card, Console], dict[str, Any]]] = {
    "wavenet": _sounds,
    "action": _clips,
    "mask_rcnn": _instances,
}


@contextmanager
def _described(request: EvaluateRequest) -> Iterator[None]:
    """CheckpointError for a card that says too little, or something else, of its network."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        message = f"{request.checkpoint}: its card does not describe the network: {error!r}"
        raise CheckpointError(message) from error


def _examples(request: EvaluateRequest, card: Card, endings: frozenset[str]) -> list[Example]:
    """The labelled files, all of whose labels the checkpoint knows."""
    from models.training.dataset import DatasetError, read_dataset

    try:
        examples = read_dataset(request.data, endings, request.root)
    except DatasetError as error:
        raise DataError(str(error)) from error
    if request.split is not None:
        splits = sorted({str(one.split) for one in examples if one.split is not None})
        if request.split not in splits:
            message = f"--split {request.split}: DATA names {', '.join(splits) or 'no splits'}"
            raise ConfigError(message)
        examples = [one for one in examples if one.split == request.split]
    strange = sorted({one.label for one in examples} - set(card.labels))
    if strange:
        message = (
            f"labels that do not match: the data has {', '.join(strange)}, which {card.name} does "
            f"not know; it knows {', '.join(card.labels)}"
        )
        raise DataError(message)
    return examples


def _kept(examples: Sequence[Example], unreadable: dict[Example, str]) -> list[Example]:
    kept = [example for example in examples if example not in unreadable]
    if not kept:
        message = "none of the labelled files can be used; see what was left out and why"
        raise DataError(message)
    return kept


def _told(
    request: EvaluateRequest, scores: ClassScores, unreadable: int, console: Console
) -> dict[str, Any]:
    show_scores(console, scores)
    write_confusion(request.out, scores)
    return {**scores.to_json(), "left_out": unreadable}
