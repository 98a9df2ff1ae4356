"""Writes the generated pages of docs/: `make docs`. Config and metrics here, from the code.

`generate_reference.py` knows those of docs/reference/, and `generate_tables.py` the tables that
were measured. A test compares the pages with what this script would write, so none can fall behind.
"""

from __future__ import annotations

import inspect
import json
import runpy
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.config.access import CredentialsConfig, MetricsConfig, TlsConfig
from pipeline.config.schema import PoolConfig, RunConfig
from pipeline.config.streams import ControlConfig, FleetConfig, StreamConfig, StreamSettings
from pipeline.lanes import LaneConfig
from pipeline.lanes.gate import MotionGateConfig
from pipeline.lanes.labels import HysteresisConfig
from pipeline.lanes.packet_gate import PacketGateConfig, VectorGateConfig
from pipeline.metrics import TABLE as METRICS
from pipeline.metrics import Metric, Topic

HERE = Path(__file__).parent
METRIC_TOPICS: dict[Topic, str] = {
    "streams": "Is every stream alive, how fresh, how far behind, and what broke it.",
    "books": "For every stream and lane, `decoded` of the lane's medium = `analysed` + "
    "`not_sampled` + `gated` + `dropped` + `failed` + `books_open`: the books close.",
    "stages": "Where the time goes between a packet and an event.",
    "pool": "The processes that have the networks loaded.",
    "outputs": "What is written down, and whether it can be.",
    "processes": "What witness itself takes of each machine.",
    "jobs": "`witness batch`.",
    "build": "What runs.",
}
UNSAID = {
    "gate": "no gate",
    "streams": "none",
    "sampling": "each lane's own",
    "credentials": "none",
    "certificate": "no TLS",
    "key": "in `certificate`",
    "targets": "in `OUT`",
}
NOTE = "<!-- Written by docs/generate.py (`make docs`): change the code, not this page. -->"


def pages() -> dict[str, str]:
    """The text of every generated page, by file name."""
    pages = {"config.md": config_page(), "metrics.md": metrics_page()}
    for script in ("generate_tables.py", "generate_reference.py"):
        pages |= runpy.run_path(str(HERE / script))["pages"]()
    return pages


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
    parts += [
        "### `gate` of a lane",
        "Without one, every sampled frame is analysed. `gate: motion` is the short form; "
        "[what it costs and what it misses](gating.md).",
        *_gate_parts(),
        "### `spans` of a lane",
        *_record(HysteresisConfig),
        *_fleet_parts(),
    ]
    return "\n\n".join(parts) + "\n"


def _gate_parts() -> list[str]:
    """The keys of every kind of gate."""
    parts = []
    for gate in (MotionGateConfig, PacketGateConfig, VectorGateConfig):
        parts += [f"#### `kind: {gate.model_fields['kind'].default}`", *_record(gate)]
    return parts


def _fleet_parts() -> list[str]:
    """The keys of a file of streams that a config does not have."""
    return [
        "## A file of streams",
        "`witness run FILE` watches the streams of a YAML file that has a `streams:` key, and "
        "`witness sources check FILE` tries each. It takes the keys above, of `outputs` only "
        "`jsonl` and `parquet`, and those below. [What each kind of source needs](sources.md), "
        "[an example](../examples/streams.yaml).",
        *_record(FleetConfig, RunConfig),
        "### A stream",
        *_record(StreamConfig, StreamSettings),
        "### `defaults` and a stream",
        *_record(StreamSettings),
        "### `credentials`",
        *_record(CredentialsConfig),
        "### `tls`",
        *_record(TlsConfig),
        "### `control`",
        *_record(ControlConfig),
        "### `metrics`",
        *_record(MetricsConfig),
    ]


def metrics_page() -> str:
    """Every metric, with its type, labels and meaning."""
    parts = [
        "# Metrics",
        NOTE,
        "While a job runs, `http://127.0.0.1:9464/metrics` serves these, to this machine alone; "
        "`--metrics-port` changes the port, -1 switches it off. [How to read it from elsewhere, "
        "and where the pages of a cluster are](monitoring.md). "
        "Counters only grow. Sound is counted in samples, pictures in frames.",
    ]
    for topic, told in METRIC_TOPICS.items():
        rows = [_metric_row(metric) for metric in METRICS if metric.topic == topic]
        table = ["| metric | type | labels | what |", "|---|---|---|---|", *rows]
        parts += [f"## {topic.capitalize()}", told, "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def _metric_row(metric: Metric) -> str:
    edges = ", ".join(f"{edge:g}" for edge in metric.buckets)
    kind = f"{metric.kind} ({edges})" if edges else metric.kind
    labels = ", ".join(metric.labels) or "none"
    return f"| `{metric.full_name}` | {kind} | {labels} | {metric.told} |"


def _record(model: type[BaseModel], told_before: type[BaseModel] | None = None) -> list[str]:
    """What the model's docstring says, and a table of its keys that were not told before."""
    rows = ["| key | value | default |", "|---|---|---|"]
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        if told_before is not None and name in told_before.model_fields:
            continue
        default = field.get("default", "needed" if name in schema.get("required", ()) else None)
        told = UNSAID.get(name, _default(default))
        rows.append(f"| `{name}` | {_type(field, schema)} | {told} |")
    return [inspect.cleandoc(model.__doc__ or ""), "\n".join(rows)]


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return {
            "PoolConfig": "see [pool](#pool)",
            "StreamSettings": "see [defaults](#defaults-and-a-stream)",
            "CredentialsConfig": "see [credentials](#credentials)",
            "TlsConfig": "see [tls](#tls)",
            "ControlConfig": "see [control](#control)",
            "MetricsConfig": "see [metrics](#metrics)",
            "MotionGateConfig": "`motion`",
            "PacketGateConfig": "`packets`",
            "VectorGateConfig": "`vectors`, or see [gate](#gate-of-a-lane)",
        }.get(name, "see [spans](#spans-of-a-lane)")
    if "anyOf" in field or "oneOf" in field:
        known = field.get("anyOf") or field["oneOf"]
        kinds = [_type(kind, schema) for kind in known if kind.get("type") != "null"]
        return ", or ".join(kinds)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "object":
        (value,) = field["patternProperties"].values()
        streams = value.get("$ref", "").endswith("/StreamConfig")
        told = "[a stream](#a-stream), or its url alone" if streams else _type(value, schema)
        return f"mapping of names to {told}"
    if field.get("type") == "array":
        items = field.get("items") or field["prefixItems"][0]
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
        return ", ".join(f"`{item}`" for item in value) or "none"
    return "as below" if isinstance(value, dict) else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
