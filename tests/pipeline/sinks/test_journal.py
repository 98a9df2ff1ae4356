"""A journal's records are whole, certain, and can be taken back to a bookmark."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.sinks.journal import Bookmark, HeldJournal, Journal

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


def told(folder: Path) -> list[int]:
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line)["n"] for file in files for line in file.read_text().splitlines()]


def test_each_hour_has_a_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events")
    journal.write([{"n": 1}, {"n": 2}], NOON)
    journal.write([{"n": 3}], ONE)
    journal.close()
    names = [file.name for file in sorted((tmp_path / "events").iterdir())]
    assert names == ["2026-03-01T12.jsonl", "2026-03-01T13.jsonl"]
    assert told(tmp_path / "events") == [1, 2, 3]


def test_it_goes_on_in_the_file_that_is_there(tmp_path: Path) -> None:
    for number in (1, 2):
        journal = Journal(tmp_path)
        journal.write([{"n": number}], NOON)
        journal.close()
    assert told(tmp_path) == [1, 2]


def test_half_a_line_at_the_end_is_removed(tmp_path: Path) -> None:
    (tmp_path / "2026-03-01T12.jsonl").write_text('{"n":1}\n{"n":2')
    journal = Journal(tmp_path)
    journal.write([{"n": 3}], NOON)
    journal.close()
    assert told(tmp_path) == [1, 3]


def test_it_goes_back_to_a_bookmark_over_hours(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write([{"n": 1}], NOON)
    mark = journal.bookmark
    journal.write([{"n": 2}], NOON)
    journal.write([{"n": 3}], ONE)
    journal.close()
    again = Journal(tmp_path, mark)
    assert told(tmp_path) == [1]
    again.write([{"n": 2}], NOON)
    again.close()
    assert told(tmp_path) == [1, 2]


def test_a_bookmark_of_nothing_takes_everything_of_this_run_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    mark = journal.bookmark
    journal.write([{"n": 1}], NOON)
    journal.close()
    Journal(tmp_path, mark)
    assert told(tmp_path) == []


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "events")
    with pytest.raises(OutputError, match="cannot be written"):
        journal.write([{"n": 1}], NOON)


def test_a_clock_that_is_set_back_costs_nothing_that_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write([{"n": 1}], ONE)
    journal.write([{"n": 2}], NOON)
    mark = journal.bookmark
    journal.write([{"n": 3}], NOON)
    journal.close()
    Journal(tmp_path, mark)
    assert sorted(told(tmp_path)) == [1, 2]


def test_an_hour_that_cannot_be_begun_is_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write([{"n": 1}], NOON)
    (tmp_path / "2026-03-01T13.jsonl").mkdir()
    for number in (2, 3):
        with pytest.raises(OutputError):
            journal.write([{"n": number}], ONE)
    assert journal.bookmark.file == "2026-03-01T12.jsonl"
    (tmp_path / "2026-03-01T13.jsonl").rmdir()
    journal.write([{"n": 4}], ONE)
    journal.close()
    assert told(tmp_path) == [1, 4]


def test_a_disk_that_takes_nothing_is_not_asked_for_each_record(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    folder.write_text("a file where the folder should be")
    journal = HeldJournal(folder, None)
    journal.write([{"n": 1}])
    assert "cannot be written" in journal.problem
    folder.unlink()
    journal.write([{"n": 2}])
    assert (len(journal.held), folder.exists()) == (2, False)
    journal.flush()
    assert (journal.held, journal.problem, told(folder)) == ([], "", [1, 2])
    journal.close()


def test_what_the_disk_did_not_take_is_written_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = HeldJournal(tmp_path, None)
    journal.write([{"n": 1}])
    journal.sync()
    certain = journal.bookmark
    journal.write([{"n": 2}])

    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", failing)
        journal.sync()
    assert "cannot be written" in journal.problem
    assert (journal.bookmark, told(tmp_path), journal.held) == (certain, [1], [{"n": 2}])
    journal.write([{"n": 3}])
    journal.flush()
    journal.sync()
    assert (journal.problem, journal.held, told(tmp_path)) == ("", [], [1, 2, 3])
    journal.close()


def test_a_folder_that_cannot_be_looked_at_yet_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "2026-03-01T12.jsonl").write_text('{"n":1}\n{"n":2}\n')
    later = tmp_path / "2026-03-01T13.jsonl"
    later.symlink_to(tmp_path / "away" / "file")
    since = Bookmark("2026-03-01T12.jsonl", 8, frozenset([later.name]))
    journal = HeldJournal(tmp_path, since)
    journal.write([{"n": 3}])
    assert (journal.held, journal.bookmark) == ([{"n": 3}], since)
    assert "cannot be written" in journal.problem
    later.unlink()
    journal.flush()
    assert (journal.problem, told(tmp_path)) == ("", [1, 3])
    journal.close()
