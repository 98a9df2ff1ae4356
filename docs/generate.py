"""Writes docs/config.md and docs/metrics.md from the code, and tables and a picture: `make docs`.

The tables in docs/frame-cnns.md and docs/clips.md, and its picture, come from what the scripts in
benchmarks/ measured. A test compares the pages with what this script would write, so none can fall
behind.
"""

from __future__ import annotations

import inspect
import json
import runpy
import statistics
from collections.abc import Callable
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
MEASURED = HERE.parent / "benchmarks"
TABLE, TABLE_END = "<!-- table: `make docs` -->", "<!-- end of table -->"
CLIPS_PICTURE = "pictures/clip-ways.svg"
QUESTIONS = {"appearance": 2, "order": 2, "both": 4}  # and their number of labels
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
    pages = {
        "config.md": config_page(),
        "metrics.md": metrics_page(),
        "frame-cnns.md": _filled("frame-cnns.md", "frame_cnns", frame_cnns_table),
        "clips.md": _filled("clips.md", "clip_ways", clips_table),
        "gating.md": _filled("gating.md", "gate_recall", gate_table),
        **runpy.run_path(str(HERE / "generate_reference.py"))["pages"](),
    }
    clips = MEASURED / "clip_ways.json"
    if clips.exists():
        pages[CLIPS_PICTURE] = clips_picture(json.loads(clips.read_text(encoding="utf-8")))
    return pages


def _filled(name: str, script: str, table: Callable[[dict[str, Any]], list[str]]) -> str:
    """The page with its table anew; it says so where the script has not measured yet."""
    before, rest = (HERE / name).read_text(encoding="utf-8").split(TABLE)
    after = rest.split(TABLE_END)[1]
    report = MEASURED / f"{script}.json"
    lines = [f"Not measured yet: `python benchmarks/{script}.py`, then `make docs`."]
    if report.exists():
        lines = table(json.loads(report.read_text(encoding="utf-8")))
    return f"{before}{TABLE}\n\n" + "\n".join(lines) + f"\n\n{TABLE_END}{after}"


def frame_cnns_table(report: dict[str, Any]) -> list[str]:
    """What every frame CNN costs, as lines of a table."""
    rows = [
        "| name | picture | classes | parameters | GFLOPs | feature | ms a picture |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in report["networks"]:
        rows.append(
            f"| `{row['name']}` | {row['width']}x{row['height']} | {row['classes']:,} "
            f"| {row['parameters']:,} | {row['gflops']:.3g} | {row['feature_size']:,} "
            f"| {row['cpu_ms']:.3g} |"
        )
    threads = f"{report['threads']} thread" + ("s" if report["threads"] > 1 else "")
    measured = f"CPU time, median of {report['times']}, on {report['cpu']}, {threads}"
    return [*rows, "", f"{measured}, torch {report['torch']}."]


def gate_table(report: dict[str, Any]) -> list[str]:
    """What the gate withheld and what was lost by it, as lines of a table."""
    rows = [
        "| clip | frames sampled | gated | events without the gate | lost with it "
        "| tracks, without and with |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in report["clips"]:
        lost = row["events"] - row["events_kept"]
        share = f" ({lost / row['events']:.1%})" if row["events"] else ""
        rows.append(
            f"| {row['clip']} | {row['frames']} | {row['gated'] / row['frames']:.0%} "
            f"| {row['events']:,} | {lost:,}{share} | {row['tracks']}, {row['tracks_kept']} |"
        )
    costs = " and ".join(f"{ms:.2g} ms for {size}" for size, ms in report["gate_ms"].items())
    return [
        *rows,
        "",
        f"`instances` with `{report['network']}` at {report['rate_hz']:g} Hz on "
        f"`examples/{report['clip']}` and on quieter clips made of it: `empty` is its background "
        "with noise of so many levels (standard deviation), a `part` shows one ninth of "
        "the picture live and the background in the others, `standing` its middle frame, held "
        f"(the last two with noise of {report['part_noise']:g}). Gate at its defaults. "
        "`python benchmarks/gate_recall.py`",
        "",
        f"The gate's CPU time for a frame, between decoding: {costs}; least of seven medians, "
        f"{report['cpu']}, OpenCV with one thread.",
    ]


def clips_table(report: dict[str, Any]) -> list[str]:
    """The picture, and accuracy, training time and time a clip of every way as a table."""
    rows = [
        f"![Accuracy of each way for each question, and what chance would give]({CLIPS_PICTURE})",
        "",
        "| way | appearance | order | both | training, minutes | ms a clip |",
        "|---|---|---|---|--:|--:|",
    ]
    for way, found in _by_way(report).items():
        seconds = statistics.mean(one["training_s"] for one in found)
        clip_ms = statistics.median(one["clip_ms"] for one in found)
        cells = [_spread(_accuracies(found, question)) for question in QUESTIONS]
        rows.append(f"| `{way}` | {' | '.join(cells)} | {seconds / 60:.2f} | {clip_ms:.2g} |")
    seeds = len({one["seed"] for one in report["results"]})
    shared = report["shared"]
    return [
        *rows,
        "",
        f"Accuracy on {report['test_clips']} held-out clips, mean of {seeds} seeds (least to "
        f"most); learnt from {report['train_clips']} clips. Times are CPU time on "
        f"{report['cpu']}, {report['threads']} thread. Minutes are of one network; what the frozen "
        "ways share comes once a seed: to teach and store "
        f"{(shared['teach_frame_s'] + shared['store_frame_s']) / 60:.2f} minutes for frames, "
        f"{(shared['teach_snippet_s'] + shared['store_snippet_s']) / 60:.2f} for snippets.",
    ]


def clips_picture(report: dict[str, Any]) -> str:
    """The accuracies as bars, a panel for each question, as SVG."""
    ways, bar, wide = _by_way(report), 16, 210
    high = 40 + bar * len(ways) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {160 + 3 * (wide + 20)} {high}" '
        'font-family="sans-serif" font-size="11" fill="#222">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for row, way in enumerate(ways):
        parts.append(f'<text x="150" y="{52 + bar * row}" text-anchor="end">{way}</text>')
    for column, (question, labels) in enumerate(QUESTIONS.items()):
        left = 160 + column * (wide + 20)
        chance = left + wide / labels
        parts.append(f'<text x="{left}" y="24" font-weight="bold">{question}</text>')
        for row, found in enumerate(ways.values()):
            values, top = _accuracies(found, question), 42 + bar * row
            mean = statistics.mean(values)
            parts.append(
                f'<rect x="{left}" y="{top}" width="{wide * mean:.1f}" height="{bar - 4}" '
                f'fill="{"#4a7fb5" if mean * labels > 1.2 else "#c9c9c9"}"/>'
            )
            parts += [
                f'<circle cx="{left + wide * one:.1f}" cy="{top + 6}" r="2"/>' for one in values
            ]
        parts.append(
            f'<path d="M{chance:.1f} 38v{bar * len(ways) + 6}" stroke="#b03030" '
            f'stroke-dasharray="3 3"/><text x="{chance:.1f}" y="{high - 8}" fill="#b03030" '
            'text-anchor="middle">chance</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _by_way(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    ways: dict[str, list[dict[str, Any]]] = {}
    for one in report["results"]:
        ways.setdefault(one["way"], []).append(one)
    return ways


def _accuracies(found: list[dict[str, Any]], question: str) -> list[float]:
    return [one["accuracy"] for one in found if one["question"] == question]


def _spread(values: list[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.3f} ({min(values):.3f} to {max(values):.3f})"


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
