"""`witness streams`: what a running witness watches, listed and changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.control.client import Client
from pipeline.errors import ConfigError, NoAnswer

GOOD, USAGE, NO_ANSWER = 0, 2, 3
LOOKS = {"playing": "green", "waiting": "yellow", "down": "red"}


def list_command(out: Path, *, as_json: bool) -> int:
    """The exit code, after the streams were listed."""

    def listed() -> None:
        streams = Client(out).streams()
        if as_json:
            Console(soft_wrap=True, highlight=False, markup=False).print(json.dumps(streams))
        else:
            Console(highlight=False).print(_table(streams))

    return _answered(listed)


def add_command(out: Path, name: str, stream: dict[str, Any]) -> int:
    """The exit code, after a stream was added."""
    return _answered(lambda: Client(out).add(name, stream), f"{name}: added")


def remove_command(out: Path, name: str) -> int:
    """The exit code, after a stream was told to end."""
    return _answered(lambda: Client(out).remove(name), f"{name}: ends; its results stay")


def restart_command(out: Path, name: str) -> int:
    """The exit code, after a stream's reader was told to begin anew."""
    return _answered(lambda: Client(out).restart(name), f"{name}: its reader begins anew")


def _answered(ask: Callable[[], None], told: str = "") -> int:
    console = Console(soft_wrap=True, highlight=False)
    try:
        ask()
    except (ConfigError, NoAnswer) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return NO_ANSWER if isinstance(error, NoAnswer) else USAGE
    if told:
        console.print(escape(told))
    return GOOD


def _table(streams: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("stream", "state", "since", "late", "opened", "restarts", "video", "audio")
    for column in columns:
        right = column in ("since", "late", "opened", "restarts")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for stream in streams:
        state, reason = stream["state"], stream["reason"]
        look = LOOKS.get(state, "dim")
        table.add_row(
            escape(stream["name"]),
            f"[{look}]{state}[/]" + (f": {escape(reason)}" if reason else ""),
            length(stream["since_s"]),
            f"{stream['late_s']:.2f} s" if state == "playing" else "",
            str(stream["connections"]),
            str(stream["restarts"]),
            stream["video"] or "none",
            stream["audio"] or "none",
        )
    return table


def length(seconds: float) -> str:
    """A time that has passed, in two units at the most."""
    whole = int(seconds)
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
