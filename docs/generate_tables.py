"""The pages whose tables come from what the scripts in benchmarks/ measured, and their picture.

`generate.py` writes them with the others: `make docs`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MEASURED = HERE.parent / "benchmarks"
TABLE, TABLE_END = "<!-- table: `make docs` -->", "<!-- end of table -->"
CLIPS_PICTURE = "pictures/clip-ways.svg"
QUESTIONS = {"appearance": 2, "order": 2, "both": 4}  # and their number of labels


def pages() -> dict[str, str]:
    """The text of every page with a measured table, and the picture, by file name."""
    pages = {
        "frame-cnns.md": _filled("frame-cnns.md", "frame_cnns", frame_cnns_table),
        "clips.md": _filled("clips.md", "clip_ways", clips_table),
        "gating.md": _filled("gating.md", "gate_recall", gate_table),
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
