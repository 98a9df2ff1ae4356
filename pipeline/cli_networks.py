"""The commands that make, judge and export networks: label, train, evaluate, export.

As in `cli.py`, nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli_options import OfflineOption


def label(
    source: Annotated[str, typer.Argument(help="A video of a scene that does not move.")],
    out: Annotated[Path, typer.Option(help="Gets labels.json and contact_sheet.jpg.")] = Path(
        "out/labels"
    ),
    until_s: Annotated[
        float | None, typer.Option(help="Use only this much of the video, from its start.")
    ] = None,
) -> None:
    """Labels the people of a static SOURCE by itself: COCO JSON and a sheet to check by eye."""
    from pipeline.commands.label import label_command

    sys.exit(label_command(source, out, until_s))


class Network(StrEnum):
    """What can be trained."""

    sound = "sound"
    instances = "instances"
    action = "action"
    frames = "frames"


OWN = "With DATA of your own"
RootOption = Annotated[
    Path | None,
    typer.Option(help="Where the paths of DATA start; its folder by default.", rich_help_panel=OWN),
]
DATA_HELP = """Your own labelled files: a folder for each class, or a CSV `path,label[,start,end]`;
for `instances` COCO JSON. Without it the recipe of the network that ships runs."""


def train(
    network: Annotated[Network, typer.Argument(help="Which network.")],
    data: Annotated[Path | None, typer.Argument(help=DATA_HELP)] = None,
    out: Annotated[Path, typer.Option(help="Gets the checkpoint and its card.")] = Path(
        "out/train"
    ),
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="A folder that already holds the data packages."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same weights on the same machine.")] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Fewer or more steps than the recipe's own.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="`instances` only: a video of a scene of your own.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Its COCO labels; without them it labels itself.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="The network and its numbers, by name; a wrong one lists them.",
            rich_help_panel=OWN,
        ),
    ] = None,
    trunk: Annotated[
        str | None,
        typer.Option(
            help="`frames`, `action`, `instances`: what sees, by name.", rich_help_panel=OWN
        ),
    ] = None,
    root: RootOption = None,
    batch: Annotated[
        int | None, typer.Option(help="Examples in a step.", rich_help_panel=OWN)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest of the run.", rich_help_panel=OWN)
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(help="Of weights; biases and norms have none.", rich_help_panel=OWN),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            help="The share of features that is hidden, 0 to below 1.", rich_help_panel=OWN
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None, typer.Option(help="0 to below 1.", rich_help_panel=OWN)
    ] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="one_cycle, cosine, linear, step or constant.", rich_help_panel=OWN),
    ] = None,
    ema: Annotated[
        float | None,
        typer.Option(help="Decay of the running average of the weights.", rich_help_panel=OWN),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="`instances`: float32 or bfloat16.", rich_help_panel=OWN)
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="`instances`: begin with `coco`, `coco_v2`, `imagenet` or a checkpoint.",
            rich_help_panel=OWN,
        ),
    ] = None,
    class_weights: Annotated[
        bool | None, typer.Option(help="Rare labels count more.", rich_help_panel=OWN)
    ] = None,
    check_every: Annotated[
        int | None,
        typer.Option(help="Steps between two scores on validation files.", rich_help_panel=OWN),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(help="End after so many scores that are no better.", rich_help_panel=OWN),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the killed run in OUT.", rich_help_panel=OWN),
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write OUT/tensorboard.", rich_help_panel=OWN)
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="So many processes share the work, by Ray Train.", rich_help_panel=OWN),
    ] = None,
    distil_from: Annotated[
        str | None,
        typer.Option(help="`sound`, `frames`: the checkpoint of a teacher.", rich_help_panel=OWN),
    ] = None,
    distil_weight: Annotated[
        float | None,
        typer.Option(
            help="How much the teacher counts, 0 to 1; 0.7 by default.", rich_help_panel=OWN
        ),
    ] = None,
    distil_temperature: Annotated[
        float | None,
        typer.Option(help="Softens what the teacher says; 3 by default.", rich_help_panel=OWN),
    ] = None,
) -> None:
    """Trains a network: on DATA of your own, or, without, by the recipe of the one that ships.

    Writes a checkpoint and its card, which a lane uses by `weights: PATH`. Needs the `train`
    extra: `pip install 'witness-av[train]'`. Example: `witness train sound my_sounds --out bells`
    """
    from pipeline.commands.own_request import OwnRequest
    from pipeline.commands.train import TrainRequest, train_command

    options: dict[str, Any] = {
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "dropout": dropout,
        "label_smoothing": label_smoothing,
        "schedule": schedule,
        "ema": ema,
        "precision": precision,
        "weights": weights,
        "class_weights": class_weights,
        "check_every": check_every,
        "patience": patience,
    }
    needs_data = {**options, "recipe": recipe, "trunk": trunk, "root": root}
    needs_data |= {"resume": resume or None, "tensorboard": tensorboard or None}
    needs_data |= {"workers": workers, "distil_from": distil_from}
    softened = {"weight": distil_weight, "temperature": distil_temperature}
    needs_data |= {f"distil_{name}": value for name, value in softened.items()}
    alone: list[str] = []
    own = None
    if data is None:
        alone = [name for name, value in needs_data.items() if value is not None]
    else:
        options |= {"seed": seed, "steps": steps}
        own = OwnRequest(
            network=network.value,
            data=data,
            out=out,
            recipe=recipe,
            trunk=trunk,
            root=root,
            resume=resume,
            tensorboard=tensorboard,
            workers=1 if workers is None else workers,
            distil=distil_from,
            softened=softened,
            options=options,
        )
    request = TrainRequest(
        network.value, out, from_, seed, steps, source, labels, own, tuple(alone)
    )
    sys.exit(train_command(request))


def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A .safetensors file, or a shipped name.")],
    data: Annotated[Path, typer.Argument(help="Labelled files, as for `witness train`.")],
    out: Annotated[Path, typer.Option(help="Gets evaluation.json and a picture.")] = Path(
        "out/evaluate"
    ),
    root: RootOption = None,
    split: Annotated[
        str | None, typer.Option(help="Only this split of DATA, where DATA names splits.")
    ] = None,
) -> None:
    """Judges a CHECKPOINT by labelled DATA: a table, and the same figures as JSON."""
    from pipeline.commands.evaluate import EvaluateRequest, evaluate_command

    sys.exit(evaluate_command(EvaluateRequest(checkpoint, data, out, root, split)))


class ExportTarget(StrEnum):
    """What a network can be exported to."""

    onnx = "onnx"
    openvino = "openvino"


def export(
    checkpoint: Annotated[
        str, typer.Argument(help="A .safetensors file, a shipped name, `coco` or `coco_v2`.")
    ],
    to: Annotated[ExportTarget, typer.Option(help="The format.")],
    out: Annotated[Path, typer.Option(help="Gets one file a part, and a card.")] = Path(
        "out/export"
    ),
    source: Annotated[
        str | None, typer.Option(help="A video to compare with; default: the clip that ships.")
    ] = None,
    offline: OfflineOption = False,
) -> None:
    """Exports the network of a CHECKPOINT, compared with torch eager before it may stay.

    Exit code 3 when it answers differently: then nothing is written. Example: `witness export
    street-people --to openvino`
    """
    from pipeline.commands.export import ExportRequest, export_command

    sys.exit(export_command(ExportRequest(checkpoint, to.value, out, source, offline)))


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    for command in (label, train, evaluate, export):
        app.command()(command)
