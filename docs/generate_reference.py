"""The pages of docs/reference/, from the code: what can be typed, and what comes out.

`generate.py` writes them with the others: `make docs`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pyarrow as pa
import typer
from typer.models import ArgumentInfo, OptionInfo

from pipeline.batch.features import FEATURES_SCHEMA
from pipeline.batch.query import UNITS_SCHEMA
from pipeline.batch.tables import FAILURES_SCHEMA, GOPS_SCHEMA, LEDGER_SCHEMA
from pipeline.cli import app
from pipeline.sinks.hourly import LIVE_SCHEMA
from pipeline.sinks.parquet import SCHEMA
from pipeline.sinks.rows import ROWS_VERSION

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate_reference.py (`make docs`): change the code, not it. -->"
TABLE_END = "<!-- end of columns -->"
PLAIN = {str: "text", Path: "path", int: "whole number", float: "number", bool: "yes or no"}
EVENTS: dict[str, str] = {
    "stream": "What the stream is called in every output",
    "lane": "The lane that claims it, by its name in the config",
    "start_s": "When it begins: seconds of [media time](../explain/time.md), rounded to 6 decimals",
    "end_s": "When it ends; this moment is no part of it",
    "start": "The same as `start_s`, exactly, as a fraction such as `7/2`",
    "end": "The same as `end_s`, exactly",
    "label": "What it is: one of the labels of the network's card",
    "score": "How surely, from 0 to 1, rounded to 4 decimals",
    "track_id": "Instances: the same number for the same thing through time; null without a track",
    "box": "Instances: x1, y1, x2, y2 in pixels of the source's picture as it is shown",
    "mask": "Instances: COCO's compressed run lengths; `size` is height, width",
    "model": "The name of the network",
    "model_sha256": "The sha256 of its weights",
}
LIVE: dict[str, str] = {
    "start_utc": "`start_s` by the clock on the wall, ISO 8601; null while nothing ties the two",
    "end_utc": "`end_s` by the clock on the wall",
    "warming_up": "True where the network had not heard enough yet since it began anew",
}
BATCH: dict[str, dict[str, str]] = {
    "ledger": {
        "source": "The video's name in the results",
        "medium": "`video` or `audio`",
        "lane": "The lane; null for a medium that no lane takes",
        "unit": "What is counted: `frames` or `samples`",
        "decoded": "What the medium brought",
        "offered": "What the lane was shown of it: all",
        "analysed": "What its network answered",
        "not_sampled": "What the lane passes over by plan",
        "gated": "What a gate or the scan withheld: nothing changed",
        "dropped": "What was given up, by reason",
        "failed": "What could not be answered, by reason",
        "gated_s": "How long nothing changed, in seconds",
        "media_s": "How far the video was read, in seconds",
        "troubles": "What the decoder could not use, by kind; it never became a frame",
        "gaps": "Where the medium brought nothing, and why",
    },
    "failures": {
        "source": "The video's name in the results",
        "segment": "The stretch of a long video; null for all of it",
        "kind": "A word to group by",
        "reason": "A sentence",
        "position_s": "How far it was read, in seconds",
        "partial": "True when what was found before is among the events",
    },
    "gops": {
        "source": "The video's name in the results",
        "start_s": "Where the groups of pictures begin",
        "end_s": "Where they end",
        "fate": "`all`, `key` or `none`: what of them was decoded",
        "reason": "Why; see [the scan](../scan.md)",
        "gops": "How many groups in a row",
        "frames": "How many pictures they have",
        "decoded": "How many of these were decoded",
        "score": "How far above what is usual their sizes are, in spreads",
    },
    "features": {
        "source": "The video's name in the results",
        "lane": "The lane whose CNN saw it",
        "start_s": "When the window begins",
        "end_s": "When it ends",
        "start": "The same, exactly",
        "end": "The same, exactly",
        "feature": "What the CNN made of it",
    },
    "units": {
        "source": "The video's name in the results",
        "day": "Its day, where results are laid by day",
        "state": "`done`, `partial` or `failed`",
        "media_s": "How far it was read, in seconds",
        "events": "How many events",
        "error": "Why it is not done",
        "size_bytes": "How large the file is",
        "version": "What tells the file from itself after a change",
        "address": "Where it lay, without passwords",
    },
}
SCHEMAS: dict[str, tuple[pa.Schema, dict[str, str]]] = {
    "events": (SCHEMA, EVENTS),
    "live": (pa.schema([field for field in LIVE_SCHEMA if field.name in LIVE]), LIVE),
    "ledger": (LEDGER_SCHEMA, BATCH["ledger"]),
    "failures": (FAILURES_SCHEMA, BATCH["failures"]),
    "gops": (GOPS_SCHEMA, BATCH["gops"]),
    "features": (FEATURES_SCHEMA, BATCH["features"]),
    "units": (UNITS_SCHEMA, BATCH["units"]),
}


def pages() -> dict[str, str]:
    """The text of the pages, by file name below docs/."""
    return {"reference/cli.md": cli_page(), "reference/events.md": events_page()}


def cli_page() -> str:
    """Every command with its arguments and options."""
    parts = [
        "# The command line",
        NOTE,
        "`witness COMMAND --help` says the same in a terminal. Exit codes: 0 good; 2 bad usage or "
        "config; 3 a source or an output failed (others ran); 130 interrupted. Where a command "
        "has more to say about them, it does.",
    ]
    for words, function in commands(app, "witness"):
        parts += [f"## {words}", inspect.cleandoc(function.__doc__ or ""), *_options(function)]
    return "\n\n".join(parts) + "\n"


def commands(group: typer.Typer, words: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each command of the tree as it is typed, and the function that it calls."""
    for command in group.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        yield f"{words} {name}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{words} {inner.name}")


def _options(function: Callable[..., Any]) -> list[str]:
    hints = get_type_hints(function, include_extras=True)
    rows = []
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = get_args(hints[name])
        needed = parameter.default is inspect.Parameter.empty
        default = "needed" if needed else _default(parameter.default)
        told = " ".join((info.help or "").split()).replace("<", "&lt;").replace("|", "\\|")
        rows.append(f"| {_typed(name, kind, info)} | {_values(kind, info)} | {default} | {told} |")
    if not rows:
        return []
    return ["\n".join(["| | value | when left out | what |", "|---|---|---|---|", *rows])]


def _typed(name: str, kind: Any, info: ArgumentInfo | OptionInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return f"`{name.upper()}`" + (" ..." if get_origin(kind) is list else "")
    dashed = name.strip("_").replace("_", "-")
    # In `Annotated` the first of the names that an option says stands where its default would.
    said = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
    usual = [f"--{dashed}", f"--no-{dashed}"] if bool in _kinds(kind) else [f"--{dashed}"]
    return ", ".join(f"`{one}`" for one in said or usual)


def _kinds(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, UnionType):
        return tuple(one for one in get_args(kind) if one is not NoneType)
    return get_args(kind) if get_origin(kind) is list else (kind,)


def _values(kind: Any, info: ArgumentInfo | OptionInfo) -> str:
    (kind,) = _kinds(kind)
    if kind is bool:
        return ""
    if issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    least = "" if info.min is None else f" from {info.min:g}"
    return PLAIN[kind] + least + ("" if info.max is None else f" to {info.max:g}")


def _default(value: Any) -> str:
    if value is True:
        return "yes"
    if value is None or value is False or value == "":
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def events_page() -> str:
    """The page about rows, with the tables of their columns anew."""
    text = (HERE / "reference" / "events.md").read_text(encoding="utf-8")
    for name, (schema, told) in SCHEMAS.items():
        before, rest = text.split(f"<!-- columns: {name} -->")
        after = rest.split(TABLE_END, 1)[1]
        table = _columns(schema, told)
        text = f"{before}<!-- columns: {name} -->\n\n{table}\n\n{TABLE_END}{after}"
    return re.sub(r"(?<=version )\d+(?= of the rows)", str(ROWS_VERSION), text)


def _columns(schema: pa.Schema, told: Mapping[str, str]) -> str:
    rows = [f"| `{field.name}` | {_type(field.type)} | {told[field.name]} |" for field in schema]
    return "\n".join(["| column | type | what |", "|---|---|---|", *rows])


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_map(kind):
        return f"map of {_type(kind.key_type)} to {_type(kind.item_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {_type(field.type)}" for field in kind) + "}"
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))
