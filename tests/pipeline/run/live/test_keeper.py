"""The keeper of a live stream: what it writes, and that a successor writes the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.cut import Progress
from pipeline.media.lateness import Tie
from pipeline.media.pulse import Reached
from pipeline.records import Gap, Mark, Prediction, Span
from pipeline.run.live.keeper import Note
from pipeline.run.live.keepers import LiveKeepers
from pipeline.testing import brightness_lane

LANE = replace(brightness_lane(batch=1), warm_s=0.5)
WINDOWS = 60


def answer(index: int) -> Prediction:
    """Three dark windows, three bright ones, and so on."""
    span = Span(Fraction(index, 10), Fraction(index + 1, 10))
    bright = index // 3 % 2
    mark = Mark("yard", LANE.name, index, span, 1, (16, 12), index == 0)
    return Prediction(mark, scores=np.array([[1 - bright, bright]], np.float32))


def note(windows: int, *gaps: Gap, state: str = "playing") -> Note:
    position = Fraction(windows, 10)
    progress = Progress(position, {"video": windows}, {LANE.name: 0})
    reached = Reached({"video": position}, windows, 1_000_000.0)
    tie = Tie(Fraction(0), 1_000_000.0)
    sender = Tie(Fraction(1), 1_000_009.5)
    return Note(progress, reached, tie, sender, {}, gaps, state, "")


def begun(out: Path) -> LiveKeepers:
    keepers = LiveKeepers()
    keepers.open("yard", (LANE,), out, 2.0, {"source": "rtsp://yard"})
    return keepers


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What a keeper is told in the life of a stream."""
    gap = Gap("video", Span(Fraction(2), Fraction(5, 2)), "the sender ended the stream")
    yield "note", ("yard", note(0))
    for index in range(WINDOWS):
        yield "settle", ("yard", LANE.name, [answer(index)])
        if index % 10 == 9:
            yield "note", ("yard", note(index + 1, *([gap] if index == 29 else [])))
    yield "finish", ("yard", note(WINDOWS, state="stopping"))


def written(out: Path, names: str = "*") -> dict[str, list[dict[str, Any]]]:
    """Every record; states lack the time at which they were written."""
    found = {}
    for folder in ("events", "timeline"):
        files = sorted((out / folder).glob(names))
        lines = [line for file in files for line in file.read_text().splitlines()]
        found[folder] = [json.loads(line) for line in lines]
        for record in found[folder]:
            if record.get("kind") == "state":
                del record["utc"]
    return found


@pytest.fixture
def undisturbed(tmp_path: Path) -> Path:
    out = tmp_path / "undisturbed"
    keepers = begun(out)
    for method, args in calls():
        getattr(keepers, method)(*args)
    return out


def test_events_have_media_time_and_utc(undisturbed: Path) -> None:
    events = written(undisturbed)["events"]
    assert {event["label"] for event in events} == {"dark", "bright"}
    second = next(event for event in events if event["label"] == "bright")
    assert (second["start_s"], second["start_utc"]) == (0.3, "1970-01-12T13:46:40.300+00:00")


def test_events_that_begin_before_the_network_is_warm_say_so(undisturbed: Path) -> None:
    events = written(undisturbed)["events"]
    told = {event["start_s"]: event["warming_up"] for event in events}
    assert [start for start in sorted(told) if told[start]] == [0.0, 0.3]


def test_gaps_ties_and_states_are_in_the_timeline(undisturbed: Path) -> None:
    records = written(undisturbed)["timeline"]
    assert [record["kind"] for record in records] == ["tie", "tie", "state", "gap", "state"]
    assert records[1] == {
        "kind": "tie",
        "by": "sender",
        "media_s": 1.0,
        "utc": "1970-01-12T13:46:49.500+00:00",
    }
    assert records[3]["start_s"] == 2.0
    assert records[3]["end_utc"] == "1970-01-12T13:46:42.500+00:00"


def test_a_gap_begins_by_the_clock_of_before_it_and_ends_by_the_one_after(tmp_path: Path) -> None:
    """A new connection's first packets come in a burst: their times of arrival say little."""
    keepers = begun(tmp_path)
    after = Tie(Fraction(5), 1_000_005.7)
    gap = Gap("video", Span(Fraction(2), Fraction(5)), "the sender ended the stream")
    keepers.note("yard", note(20))
    keepers.note("yard", replace(note(50, gap), tie=after))
    keepers.close()
    [told] = [one for one in written(tmp_path)["timeline"] if one["kind"] == "gap"]
    assert told["start_utc"] == "1970-01-12T13:46:42.000+00:00"
    assert told["end_utc"] == "1970-01-12T13:46:45.700+00:00"


def test_the_books_close(undisturbed: Path) -> None:
    summary = json.loads((undisturbed / "summary.json").read_text())
    assert summary["ledger"]["closed"]
    assert summary["ledger"]["lanes"][LANE.name]["analysed"] == WINDOWS
    assert summary["ledger"]["gaps"][0]["reason"] == "the sender ended the stream"


@pytest.mark.parametrize("at", [1, 17, 40])
@pytest.mark.parametrize("after", [0, 1, 13])
def test_a_successor_that_is_told_the_calls_again_writes_the_same(
    tmp_path: Path, undisturbed: Path, at: int, after: int
) -> None:
    told, out = list(calls()), tmp_path / "out"
    first = begun(out)
    for method, args in told[:at]:
        getattr(first, method)(*args)
    checkpoint = first.checkpoint()
    for method, args in told[at : at + after]:
        getattr(first, method)(*args)
    first.close()  # as a process does that is killed
    second = LiveKeepers()
    second.restore(checkpoint)
    for method, args in told[at:]:
        getattr(second, method)(*args)
    assert written(out) == written(undisturbed)
    assert (
        json.loads((out / "summary.json").read_text())["ledger"]
        == json.loads((undisturbed / "summary.json").read_text())["ledger"]
    )


def test_what_cannot_be_written_waits_until_it_can(tmp_path: Path, undisturbed: Path) -> None:
    out = tmp_path / "out"
    keepers = begun(out)
    out.write_text("a file where the folder should be")
    problems = []
    for number, (method, args) in enumerate(calls()):
        if number == 30:
            out.unlink()
        kept = getattr(keepers, method)(*args)
        problems.append(kept.problem)
    assert "cannot be written" in problems[20]
    assert problems[-1] == ""
    assert written(out) == written(undisturbed)
    shutil.rmtree(out)


@pytest.mark.parametrize("at", [17, 40])
def test_a_checkpoint_covers_nothing_that_a_failing_disk_lost(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    told, out = list(calls()), tmp_path / "out"
    first = begun(out)
    for method, args in told[:at]:
        getattr(first, method)(*args)

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing)
        checkpoint = first.checkpoint()
    assert written(out) == {"events": [], "timeline": []}
    method, args = told[at]
    assert "cannot be written" in getattr(first, method)(*args).problem
    first.close()
    second = LiveKeepers()
    second.restore(checkpoint)
    for method, args in told[at:]:
        getattr(second, method)(*args)
    assert written(out) == written(undisturbed)


def test_finished_hours_are_there_as_parquet(tmp_path: Path) -> None:
    keepers = LiveKeepers()
    keepers.open("yard", (LANE,), tmp_path, 2.0, {}, tables=True)
    (tmp_path / "events").mkdir()
    keepers.restore(keepers.checkpoint())
    for method, args in calls():
        getattr(keepers, method)(*args)
    [table] = (tmp_path / "events").glob("*.parquet")
    rows = pq.read_table(table).to_pylist()
    assert [row["start_utc"] for row in rows] == [
        event["start_utc"] for event in written(tmp_path, "*.jsonl")["events"]
    ]
    assert {row["warming_up"] for row in rows} == {True, False}


def test_where_nothing_was_said_the_disk_is_left_alone(tmp_path: Path) -> None:
    keepers = begun(tmp_path)
    keepers.settle("yard", LANE.name, [answer(0)])
    keepers.note("yard", note(1))
    checkpoint = keepers.checkpoint()
    before = (tmp_path / "summary.json").stat().st_ino
    keepers.note("yard", note(1))
    assert keepers.checkpoint() == checkpoint
    assert (tmp_path / "summary.json").stat().st_ino == before
    keepers.note("yard", note(2))
    keepers.checkpoint()
    assert json.loads((tmp_path / "summary.json").read_text())["frames"] == 2
    keepers.settle("yard", LANE.name, [answer(1)])
    keepers.checkpoint()
    book = json.loads((tmp_path / "summary.json").read_text())["ledger"]["lanes"][LANE.name]
    assert book["analysed"] == 2
    keepers.close()
