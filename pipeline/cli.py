"""The `witness` command: parse, call, exit code.

0 good, 2 bad usage or config, 3 a source or an output failed (others ran), 130 interrupted.
Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="witness",
    help="Watches and listens to streams and writes down what happened, when, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


class Engine(StrEnum):
    """How the parts run."""

    ray = "ray"
    local = "local"


class Device(StrEnum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


EngineOption = Annotated[
    Engine, typer.Option(help="`ray`: processes side by side; `local`: everything in this one.")
]
DeviceOption = Annotated[Device, typer.Option(help="Where the networks run.")]
OutOption = Annotated[Path, typer.Option(help="Results go to OUT/<stream>/.")]
MetricsPort = Annotated[
    int, typer.Option(help="Port of /metrics on 127.0.0.1 while the job runs; -1 for none.")
]
LanesOption = Annotated[
    str | None, typer.Option(help="Only these lanes, by name: `action,instances,sound`.")
]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Never fetch weights; missing ones are an error.")
]
ConfigOption = Annotated[Path | None, typer.Option(help="A YAML file; see `witness validate`.")]


@app.command()
def run(
    sources: Annotated[list[str], typer.Argument(help="Files or addresses that PyAV can read.")],
    config: ConfigOption = None,
    out: OutOption = Path("out"),
    engine: EngineOption = Engine.ray,
    device: DeviceOption = Device.auto,
    lanes: LanesOption = None,
    metrics_port: MetricsPort = 9464,
    offline: OfflineOption = False,
) -> None:
    """Watches and listens to every SOURCE, and writes its events, video and report.

    Example: `witness run yard.mp4 gate.mkv --out results --lanes instances,sound`
    """
    from pipeline.commands.run import RunRequest, run_command

    sys.exit(
        run_command(
            RunRequest(
                addresses=tuple(sources),
                config=config,
                out=out,
                engine=engine.value,
                device=device.value,
                lanes=lanes,
                metrics_port=metrics_port,
                offline=offline,
            )
        )
    )


@app.command()
def demo(
    out: OutOption = Path("out"),
    engine: EngineOption = Engine.ray,
    device: DeviceOption = Device.auto,
    metrics_port: MetricsPort = 9464,
) -> None:
    """Runs the main job on the clip that ships, and holds the sounds found against the truth."""
    from pipeline.commands.run import demo_command

    sys.exit(demo_command(out, engine.value, device.value, metrics_port))


@app.command()
def probe(
    source: Annotated[str, typer.Argument(help="A file or address.")],
    config: ConfigOption = None,
) -> None:
    """Shows the streams, codecs, rates and duration of SOURCE, and what witness would do."""
    from pipeline.commands.probe import probe_command

    sys.exit(probe_command(source, config))


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="A config file in YAML.")],
) -> None:
    """Checks a config file; every mistake is told as `path:line`."""
    from pipeline.commands.validate import validate_command

    sys.exit(validate_command(file))


@app.command()
def doctor() -> None:
    """Checks this machine: Python, torch, FFmpeg, Ray, disk, weights, and what to do about each.

    Exit code 0 when the main job can run here, 2 when it cannot.
    """
    from pipeline.commands.doctor import doctor_command

    sys.exit(doctor_command())


@app.command()
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


RootOption = Annotated[
    Path | None, typer.Option(help="Where the paths of DATA start; its folder by default.")
]
DATA_HELP = """Your own labelled files: a folder for each class, or a CSV `path,label[,start,end]`;
for `instances` COCO JSON. Without it the recipe of the network that ships runs."""


@app.command()
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
    recipe: Annotated[str | None, typer.Option(help="With DATA: which recipe.")] = None,
    trunk: Annotated[
        str | None,
        typer.Option(help="With DATA, `frames` and `action`: the frame CNN, by name."),
    ] = None,
    root: RootOption = None,
    batch: Annotated[int | None, typer.Option(help="With DATA: examples in a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="With DATA.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="With DATA.")] = None,
    dropout: Annotated[float | None, typer.Option(help="With DATA.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="With DATA.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="With DATA: one_cycle, cosine, linear or constant.")
    ] = None,
    class_weights: Annotated[bool | None, typer.Option(help="Rare labels count more.")] = None,
    check_every: Annotated[int | None, typer.Option(help="Steps between two scores.")] = None,
    patience: Annotated[int | None, typer.Option(help="End after so many no better.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="With DATA: go on with the killed run in OUT.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="With DATA: write OUT/tensorboard.")
    ] = False,
) -> None:
    """Trains a network: on DATA of your own, or, without, by the recipe of the one that ships.

    Writes a checkpoint and its card, which a lane uses by `weights: PATH`. Needs the `train`
    extra: `pip install 'witness-av[train]'`. Example: `witness train sound my_sounds --out bells`
    """
    from pipeline.commands.own_data import OwnRequest
    from pipeline.commands.train import TrainRequest, train_command

    options: dict[str, Any] = {
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "dropout": dropout,
        "label_smoothing": label_smoothing,
        "schedule": schedule,
        "class_weights": class_weights,
        "check_every": check_every,
        "patience": patience,
    }
    needs_data = {**options, "recipe": recipe, "trunk": trunk, "root": root}
    needs_data |= {"resume": resume or None, "tensorboard": tensorboard or None}
    alone: list[str] = []
    own = None
    if data is None:
        alone = [name for name, value in needs_data.items() if value is not None]
    else:
        options |= {"seed": seed, "steps": steps}
        own = OwnRequest(
            network.value, data, out, recipe, trunk, root, resume, tensorboard, options
        )
    request = TrainRequest(
        network.value, out, from_, seed, steps, source, labels, own, tuple(alone)
    )
    sys.exit(train_command(request))


@app.command()
def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A .safetensors file, or a shipped name.")],
    data: Annotated[Path, typer.Argument(help="Labelled files, as for `witness train`.")],
    out: Annotated[Path, typer.Option(help="Gets evaluation.json and confusion.png.")] = Path(
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


@app.command()
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


def main() -> None:
    """Runs the command line."""
    app()
