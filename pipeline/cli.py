"""The `witness` command: parse, call, exit code.

0 good, 2 bad usage or config, 3 a source or an output failed (others ran), 130 interrupted.
Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline import cli_batch, cli_setup, cli_streams
from pipeline.cli_networks import add_to
from pipeline.cli_options import (
    ConfigOption,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    LanesOption,
    MetricsPort,
    OfflineOption,
)

app = typer.Typer(
    name="witness",
    help="Watches and listens to streams and writes down what happened, when, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


OutOption = Annotated[Path, typer.Option(help="Results go to OUT/<stream>/.")]


@app.command()
def run(
    sources: Annotated[list[str], typer.Argument(help="Files or addresses that PyAV can read.")],
    config: ConfigOption = None,
    out: OutOption = Path("out"),
    engine: EngineOption = Engine.ray,
    device: DeviceOption = Device.auto,
    lanes: LanesOption = None,
    metrics_port: MetricsPort = None,
    offline: OfflineOption = False,
) -> None:
    """Watches and listens to every SOURCE, and writes its events, video and report.

    Example: `witness run yard.mp4 gate.mkv --out results --lanes instances,sound`
    """
    from pipeline.commands.request import RunRequest
    from pipeline.commands.run import run_command

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
    metrics_port: MetricsPort = None,
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


add_to(app)
cli_streams.add_to(app)
cli_batch.add_to(app)
cli_setup.add_to(app)


def main() -> None:
    """Runs the command line."""
    app()
