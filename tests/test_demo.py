"""The main job on the clip that ships, as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.commands.request import example
from pipeline.media.probe import probe
from pipeline.records import Event
from pipeline.sinks.jsonl import read_events
from pipeline.timeline import order
from pipeline.truth import read_truth, score_sounds

pytestmark = pytest.mark.slow


def run_demo(out: Path, engine: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "demo", "--out", str(out), "--engine", engine],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("demo")
    return out / "demo", run_demo(out, "local")


def test_the_clip_is_what_it_should_be() -> None:
    clip = example("street.mp4")
    info = probe(str(clip), "street")
    assert clip.stat().st_size <= 2.5e6
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.audio.codec) == ("h264", "aac")
    assert info.duration_from_header is not None
    assert 20 <= info.duration_from_header <= 40
    assert len(read_truth(example("street.truth.json"))) >= 10


def test_planted_sounds_are_found(demo: tuple[Path, str]) -> None:
    sounds = [event for event in read_events(demo[0] / "events.jsonl") if event.lane == "sound"]
    score = score_sounds(read_truth(example("street.truth.json")), sounds)
    assert score.found >= 8, score.missed
    assert len(score.false) <= 2, score.false
    assert f"planted sounds: {score.found} of {score.planted} found" in demo[1]


def test_every_output_is_there_and_whole(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    assert {path.name for path in folder.iterdir()} == {
        "annotated.mp4",
        "events.jsonl",
        "events.parquet",
        "report.html",
        "summary.json",
    }
    drawn = probe(str(folder / "annotated.mp4"), "annotated")
    assert drawn.video is not None
    assert drawn.audio is not None
    assert (drawn.video.codec, drawn.audio.codec) == ("h264", "aac")
    rows = pq.read_table(folder / "events.parquet").to_pylist()
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [row["start"] for row in rows] == [line["start"] for line in lines]


def test_the_books_close_and_the_order_holds(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["complete"]
    assert summary["ledger"]["closed"]
    assert summary["ledger"]["decoded"]["video"] == 300
    events = list(read_events(folder / "events.jsonl"))
    assert events == sorted(events, key=order)
    assert all(0 <= event.span.start <= event.span.end <= Fraction(31) for event in events)


def test_people_are_followed(demo: tuple[Path, str]) -> None:
    seen = [event for event in read_events(demo[0] / "events.jsonl") if event.lane == "instances"]
    tracks = {event.instance.track_id for event in seen if event.instance} - {None}
    assert 8 <= len(tracks) <= 40  # some 20 people cross the picture in these 30 s
    assert len(seen) / 150 > 3  # the automatic labels have 3 to 9 people in every frame


@pytest.mark.ray
def test_ray_finds_the_same(demo: tuple[Path, str], tmp_path: Path) -> None:
    run_demo(tmp_path, "ray")
    local = list(read_events(demo[0] / "events.jsonl"))
    ray = list(read_events(tmp_path / "demo" / "events.jsonl"))
    assert [_rounded(event) for event in ray] == [_rounded(event) for event in local]


def _rounded(event: Event) -> tuple[object, ...]:
    mask = event.instance.rle if event.instance else None
    return (event.lane, event.span, event.label, round(event.score, 4), mask)
