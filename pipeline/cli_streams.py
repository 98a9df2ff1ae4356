"""The commands about live streams: sources.

As in `cli.py`, nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

sources_app = typer.Typer(help="Looks at the sources of streams.", no_args_is_help=True)


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


@sources_app.callback()
def _sources() -> None:
    """Looks at the sources of streams."""


def add_to(app: typer.Typer) -> None:
    """Gives the command line these commands."""
    app.add_typer(sources_app, name="sources")
