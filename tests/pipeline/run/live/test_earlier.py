"""Going on after an earlier watch of a stream."""

from __future__ import annotations

import json
import os
import time
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.cut import Progress
from pipeline.media.lateness import Tie
from pipeline.media.pulse import Reached
from pipeline.run.live.earlier import ABSENT, Looks, earlier
from pipeline.run.live.keeper import LiveKeeper, Note
from pipeline.run.live.reader import Begin
from pipeline.sinks.journal import Bookmark
from pipeline.testing import brightness_lane

WITHIN_S = 20.0
EPOCH_S = 1_000_000.25


def watch(folder: Path, position: Fraction) -> None:
    """Leaves what a watch of a stream leaves."""
    lane = brightness_lane(batch=1)
    left = earlier(folder)
    keeper = LiveKeeper("yard", [lane], folder, 2.0, {}, left.marks)
    reached = Reached({"video": position}, 7, EPOCH_S)
    progress = Progress(position, {"video": 0}, {lane.name: 0})
    keeper.finish(Note(progress, reached, Tie(Fraction(0), EPOCH_S), state="stopping"))


def test_a_new_folder_is_a_beginning(tmp_path: Path) -> None:
    left = earlier(tmp_path / "yard")
    assert left.begin == Begin()
    assert left.marks == (Bookmark(None, 0), Bookmark(None, 0))


def test_what_cannot_be_looked_at_is_not_cut_off(tmp_path: Path) -> None:
    journal = tmp_path / "events" / "2026-03-01T12.jsonl"
    journal.parent.mkdir()
    journal.write_text('{"n":1}\n')
    away = journal.with_name("2026-03-01T13.jsonl")
    away.symlink_to(tmp_path / "away" / "file")
    left = earlier(tmp_path)
    assert left.marks is None
    away.unlink()  # the disk is back
    LiveKeeper("yard", [brightness_lane(batch=1)], tmp_path, 2.0, {}, left.marks).close()
    assert journal.read_text() == '{"n":1}\n'


def test_time_goes_on_from_the_summary(tmp_path: Path) -> None:
    watch(tmp_path, Fraction(10, 3))
    begin = earlier(tmp_path).begin
    assert (begin.reached.epoch_s, begin.reached.frames) == (EPOCH_S, 7)
    assert begin.reached.ends == {"video": Fraction(3334, 1000)}
    assert (begin.indices, begin.outage) == ({}, ABSENT)


def test_what_was_written_before_stays(tmp_path: Path) -> None:
    watch(tmp_path, Fraction(3))
    watch(tmp_path, Fraction(5))
    [journal] = (tmp_path / "timeline").iterdir()
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [record["kind"] for record in records] == ["tie", "state"] * 2
    [old] = tmp_path.glob("summary-*.json")
    assert json.loads(old.read_text())["media_s"] == 3
    assert json.loads((tmp_path / "summary.json").read_text())["media_s"] == 5


def test_a_beginning_that_is_told_twice_is_written_once(tmp_path: Path) -> None:
    watch(tmp_path, Fraction(3))
    left = earlier(tmp_path)
    for _ in range(2):  # as a keeper's successor is told what the one before was told
        keeper = LiveKeeper("yard", [brightness_lane(batch=1)], tmp_path, 2.0, {}, left.marks)
        keeper.note(Note(Progress.nothing(), Reached(), None, state="starting"))
        keeper.close()
    [journal] = (tmp_path / "timeline").iterdir()
    states = [json.loads(line).get("state") for line in journal.read_text().splitlines()]
    assert states == [None, "stopping", "starting"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"epoch": null}', '{"epoch": "soon", "ends_s": {}, "frames": 0}']
)
def test_a_summary_that_says_nothing_is_a_beginning(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    assert earlier(tmp_path).begin == Begin()
    assert [path.read_text() for path in tmp_path.glob("summary-*.json")] == [text]


def test_a_look_holds_nobody_up_and_is_kept_until_it_is_asked_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "summary.json")  # reading it takes until somebody writes
    looks = Looks()
    looks.begin("yard", tmp_path)
    assert looks.found("yard") is None
    (tmp_path / "summary.json").write_text(
        json.dumps({"epoch": "2026-03-01T12:00:00+00:00", "ends_s": {"video": 3}, "frames": 7})
    )
    latest = time.monotonic() + WITHIN_S
    left = None
    while left is None:
        assert time.monotonic() < latest
        looks.begin("yard", tmp_path)  # once more does nothing
        left = looks.found("yard")
    assert left.begin.reached.frames == 7
