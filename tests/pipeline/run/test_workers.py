from pathlib import Path

import pytest

from pipeline.errors import WitnessError
from pipeline.predict import PoolMember
from pipeline.run.workers import KeeperHost, SourceReader
from pipeline.testing import brightness_lane, loudness_lane

LANES = (brightness_lane(), loudness_lane())


def test_a_reader_gives_one_batch_a_step_and_then_its_report(film: Path) -> None:
    reader = SourceReader(str(film), "a", LANES)
    opened = reader.open()
    assert (opened.error, opened.lanes, opened.idle) == (None, ("brightness", "loudness"), ())
    step, windows = reader.step()
    marks = 0
    while step.report is None:
        assert tuple(window.mark for window in windows) == step.marks
        marks += len(step.marks)
        step, windows = reader.step()
    assert (step.marks, windows) == ((), [])
    assert step.report.progress.decoded["video"] == 50
    assert marks == 20 + 9


def test_a_source_that_cannot_be_opened_is_told_by_kind(media: Path) -> None:
    opened = SourceReader(str(media / "missing.mp4"), "a", LANES).open()
    assert opened.info is None
    assert opened.error_type == "SourceMissing"
    assert "no such file" in str(opened.error)


def test_a_reader_that_was_never_opened_has_no_report() -> None:
    with pytest.raises(WitnessError, match="stream a was never opened"):
        SourceReader("a.mp4", "a", LANES).report()


def test_streams_are_kept_apart(film: Path, tmp_path: Path) -> None:
    host, member = KeeperHost(), PoolMember(LANES, 1)
    (tmp_path / "b").write_text("a file in the way", encoding="utf-8")
    reader = SourceReader(str(film), "a", LANES)
    info = reader.open().info
    assert info is not None
    assert host.open(info, LANES, tmp_path / "a", ["jsonl"]).error is None
    assert "is a file" in str(host.open(info, LANES, tmp_path / "b", ["jsonl"]).error)
    step, windows = reader.step()
    while step.report is None:
        settled = host.settle("a", step.lane, member.predict(step.lane, windows).answers)
        assert settled.error is None
        step, windows = reader.step()
    assert host.settle("b", "brightness", []).error == "stream b is closed"
    done = host.finish("a", step.report, {}, None)
    assert done.summary is not None and done.summary["ledger"]["closed"]
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["events.jsonl", "summary.json"]
    host.abandon("a")
    host.abandon("never seen")
    assert (tmp_path / "a" / "events.jsonl").exists()
