"""Writes docs/config.md and docs/metrics.md from the code: `make docs`.

A test compares the pages with what this script would write, so neither can fall behind.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel

from pipeline.config.schema import PoolConfig, RunConfig
from pipeline.lanes import LaneConfig
from pipeline.lanes.labels import HysteresisConfig
from pipeline.metrics import Metrics

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py (`make docs`): change the code, not this page. -->"


def pages() -> dict[str, str]:
    """The text of every generated page, by file name."""
    return {"config.md": config_page(), "metrics.md": metrics_page()}


def config_page() -> str:
    """Every key of a config file, with its type, its range and what it is when left out."""
    parts = [
        "# Configuration",
        NOTE,
        "`witness run --config FILE` takes a YAML file. Every key may be left out; an unknown one "
        "is an error. `witness validate FILE` tells every mistake as `path:line`. Numbers carry "
        "their unit in their name: `_s` seconds, `_hz` a second, `_px` pixels.",
        "## The whole file",
        *_record(RunConfig),
        "## `pool`",
        *_record(PoolConfig),
        "## `lanes`",
        "A list. Each lane says its `kind`; two lanes of one kind need different names. "
        "Naming any lane replaces the whole default list.",
    ]
    for lane in get_args(get_args(LaneConfig)[0]):
        kind = lane.model_fields["kind"].annotation.__args__[0]
        parts += [f"### `kind: {kind}`", *_record(lane)]
    parts += ["### `spans` of a lane", *_record(HysteresisConfig)]
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """Every metric, with its type, labels and meaning."""
    rows = [f"| `{name}` | {kind} | {labels} | {told} |" for name, kind, labels, told in _metrics()]
    return (
        "\n\n".join(
            [
                "# Metrics",
                NOTE,
                "While a job runs, `http://127.0.0.1:9464/metrics` serves these in Prometheus' "
                "text format, to this machine alone; `--metrics-port` changes the port, -1 "
                "switches it off. [A scrape config](../deploy/prometheus/prometheus.yml) is there. "
                "Counters only grow. Sound is counted in samples, pictures in frames.",
                "\n".join(["| metric | type | labels | what |", "|---|---|---|---|", *rows]),
                "For every stream and lane, `decoded` of the lane's medium = `analysed` + "
                "`not_sampled` + `dropped` + `failed` at the end of a job: the books close.",
            ]
        )
        + "\n"
    )


def _record(model: type[BaseModel]) -> list[str]:
    """What the model's docstring says, and a table of its keys."""
    rows = ["| key | value | default |", "|---|---|---|"]
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        default = field.get("default", "needed" if name in schema.get("required", ()) else None)
        rows.append(f"| `{name}` | {_type(field, schema)} | {_default(default)} |")
    return [inspect.cleandoc(model.__doc__ or ""), "\n".join(rows)]


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return {"PoolConfig": "see [pool](#pool)"}.get(name, "see [spans](#spans-of-a-lane)")
    if "anyOf" in field:
        kinds = [_type(kind, schema) for kind in field["anyOf"] if kind.get("type") != "null"]
        return ", or ".join(kinds)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        items = field["items"]
        return (
            "list; see [lanes](#lanes)" if "oneOf" in items else f"list of {_type(items, schema)}"
        )
    names = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "yes or no",
    }
    return names[field["type"]] + _range(field)


def _range(field: dict[str, Any]) -> str:
    said = [
        f"{words} {field[key]:g}"
        for key, words in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in field
    ]
    if "pattern" in field:
        said.append(f"like `{field['pattern']}`")
    return (", " + " ".join(said)) if said else ""


def _default(value: Any) -> str:
    if value is None:
        return "chosen for you"
    if value == "needed":
        return "needed"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(f"`{item['kind']}`" for item in value)
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return "as below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def _metrics() -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []

    def note(name: str, kind: str, labels: list[str], told: str) -> None:
        rows.append((name, kind, ", ".join(labels) or "none", told))

    class Table(Metrics):
        """The same metrics, written down as they are made."""

        def _counter(self, name: str, told: str, labels: list[str]) -> Counter:
            note(f"witness_{name}_total", "counter", labels, told)
            return super()._counter(name, told, labels)

        def _gauge(self, name: str, told: str, labels: list[str]) -> Gauge:
            note(f"witness_{name}", "gauge", labels, told)
            return super()._gauge(name, told, labels)

        def _histogram(
            self, name: str, told: str, labels: list[str], buckets: tuple[float, ...]
        ) -> Histogram:
            edges = ", ".join(f"{edge:g}" for edge in buckets)
            note(f"witness_{name}", f"histogram ({edges})", labels, told)
            return super()._histogram(name, told, labels, buckets)

    Table()
    return rows


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
