"""The commands about live streams: sources, and streams that run.

As in `cli.py`, nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

sources_app = typer.Typer(help="Looks at the sources of streams.", no_args_is_help=True)
streams_app = typer.Typer(
    help="Lists and changes the streams of a witness that runs.", no_args_is_help=True
)

OutOption = Annotated[Path, typer.Option(help="The OUT of the witness that runs.")]
NameArgument = Annotated[str, typer.Argument(help="The stream's name.")]


@sources_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A YAML file with `streams:`.")],
    only: Annotated[str | None, typer.Option(help="Only the stream of this name.")] = None,
) -> None:
    """Tries every stream of FILE, and says what came or why it did not, and what to do.

    Exit code 0 when all came, 3 when one did not, 2 when FILE is wrong.
    """
    from pipeline.commands.sources import check_command

    sys.exit(check_command(file, only))


def top(
    out: OutOption = Path("out"),
    every_s: Annotated[float, typer.Option(min=0.2, help="How often it looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, for a log or a script.")] = False,
) -> None:
    """Shows streams, rates, lag, losses and networks of a witness that runs, until Ctrl-C.

    Example: `witness top --out out`

    Exit code 2 when no witness runs there, 3 when the one that does gives no answer.
    """
    from pipeline.commands.top import top_command

    sys.exit(top_command(out, every_s, once=once))


@sources_app.callback()
def _sources() -> None:
    """Looks at the sources of streams."""


@streams_app.command("list")
def list_streams(
    out: OutOption = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Lists the streams: how each is, since when, how late, and how often it was begun anew.

    Exit code 2 when no witness runs there, 3 when the one that does gives no answer.
    """
    from pipeline.commands.streams import list_command

    sys.exit(list_command(out, as_json=as_json))


@streams_app.command()
def add(
    name: NameArgument,
    url: Annotated[str, typer.Argument(help="Where it is, as in a file of streams.")],
    out: OutOption = Path("out"),
    kind: Annotated[str | None, typer.Option(help="Where the url does not show it.")] = None,
    transport: Annotated[str | None, typer.Option(help="RTSP: auto, tcp or udp.")] = None,
    lanes: Annotated[str | None, typer.Option(help="Only these: `instances,sound`.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 to 9; higher ones come first.")] = None,
    user: Annotated[str | None, typer.Option(help="Who logs in there.")] = None,
    password_env: Annotated[
        str | None,
        typer.Option(help="The variable of the running witness that holds the password."),
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="A file of `user:password`, instead.")
    ] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="A file at its own pace.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="A file again and again.")] = False,
) -> None:
    """Adds a stream until witness ends; to keep it, write it into the file of streams.

    Example: `witness streams add yard rtsp://192.168.1.20/main --user viewer --password-env YARD`
    """
    from pipeline.commands.streams import add_command

    secret = {
        "user": user,
        "password_env": password_env,
        "file": str(secret_file.absolute()) if secret_file else None,
    }
    said: dict[str, Any] = {
        "url": url if ":" in url else str(Path(url).absolute()),
        "kind": kind,
        "transport": transport,
        "lanes": lanes.split(",") if lanes else None,
        "priority": priority,
        "credentials": {key: value for key, value in secret.items() if value} or None,
        "realtime": realtime or None,
        "loop": loop or None,
    }
    stream = {key: value for key, value in said.items() if value is not None}
    sys.exit(add_command(out, name, stream))


@streams_app.command()
def remove(name: NameArgument, out: OutOption = Path("out")) -> None:
    """Ends a stream and closes its books; one of the file comes back when the file is changed."""
    from pipeline.commands.streams import remove_command

    sys.exit(remove_command(out, name))


@streams_app.command()
def restart(name: NameArgument, out: OutOption = Path("out")) -> None:
    """Begins a stream's reader anew; its media time goes on."""
    from pipeline.commands.streams import restart_command

    sys.exit(restart_command(out, name))


def add_to(app: typer.Typer) -> None:
    """Gives the command line these commands."""
    app.add_typer(sources_app, name="sources")
    app.add_typer(streams_app, name="streams")
    app.command()(top)
