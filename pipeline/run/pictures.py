"""Pictures of a finished stream: the annotated video and the report, by a second decode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.records import StreamInfo
from pipeline.run.job import FILES, StreamResult
from pipeline.sinks.jsonl import read_events
from pipeline.truth import TruthScore, read_truth, score_sounds

OnProgress = Callable[[Fraction], None]


def draw(
    result: StreamResult,
    outputs: Sequence[str],
    truth_file: Path | None = None,
    tell: Callable[[str], OnProgress] = lambda _what: lambda _position: None,
) -> Iterator[Path]:
    """The files drawn for a stream, one by one; `tell(what)` gives what hears of its progress.

    Raises OutputError when one cannot be written.
    """
    info, summary = result.info, result.summary
    if info is None or summary is None:
        return
    rows, end = result.out / FILES["jsonl"], Fraction(summary["media_s"])
    if "overlay" in outputs and info.video is not None:
        hear = tell(f"drawing {FILES['overlay']}")
        video = _overlay(result, info, rows, hear)
        hear(end)
        if video.is_file():  # not for a header that claims pictures and brings none
            yield video
    if "report" in outputs:
        hear = tell(f"drawing {FILES['report']}")
        page = _report(result, info, rows, truth_file, hear)
        hear(end)
        yield page


def score_truth(result: StreamResult, truth_file: Path) -> TruthScore:
    """The sound events of a finished stream against the planted sounds of a truth file."""
    sounds = (event for event in read_events(result.out / FILES["jsonl"]) if event.lane == "sound")
    return score_sounds(read_truth(truth_file), sounds)


def _overlay(result: StreamResult, info: StreamInfo, rows: Path, on_progress: OnProgress) -> Path:
    from pipeline.sinks.overlay import render_overlay

    out = result.out / FILES["overlay"]
    render_overlay(result.source.address, info, read_events(rows), out, on_progress=on_progress)
    return out


def _report(
    result: StreamResult,
    info: StreamInfo,
    rows: Path,
    truth_file: Path | None,
    on_progress: OnProgress,
) -> Path:
    from pipeline.sinks.report import render_report

    out = result.out / FILES["report"]
    summary: dict[str, Any] = dict(result.summary or {})
    truth = None
    if truth_file is not None:
        truth = json.loads(truth_file.read_text(encoding="utf-8"))
        summary["truth_score"] = score_truth(result, truth_file).to_json()
    render_report(
        result.source.address,
        info,
        read_events(rows),
        summary,
        out,
        truth=truth,
        on_progress=on_progress,
    )
    return out
