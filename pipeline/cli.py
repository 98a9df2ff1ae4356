"""The `witness` command: parse, call, exit code.

0 good, 2 bad usage or config, 3 a source or an output failed (others ran), 130 interrupted.
Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

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


@app.command()
def train(
    network: Annotated[Network, typer.Argument(help="Which network.")],
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
) -> None:
    """Trains a network by its recipe: fetches the data, trains, measures, writes the card.

    Needs the `train` extra: `pip install 'witness-av[train]'`.
    """
    from pipeline.commands.train import TrainRequest, train_command

    request = TrainRequest(network.value, out, from_, seed, steps, source, labels)
    sys.exit(train_command(request))


def main() -> None:
    """Runs the command line."""
    app()
