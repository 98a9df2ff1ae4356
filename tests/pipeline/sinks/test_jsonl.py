import json
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.records import Event, Span
from pipeline.sinks.jsonl import JsonlSink, read_events


def events(count: int) -> list[Event]:
    return [
        Event("hof", "sound", Span(Fraction(n, 3), Fraction(n + 1, 3)), "Glöckchen", 0.5, "m", "0")
        for n in range(count)
    ]


def test_one_event_a_line_and_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonlSink(path)
    for event in events(3):
        sink.write(event)
    assert not path.exists()
    sink.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[1])["label"] == "Glöckchen"
    assert list(read_events(path)) == events(3)


def test_a_second_run_adds_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        sink = JsonlSink(path)
        for event in events(2):
            sink.write(event)
        sink.close()
    assert list(read_events(path)) == events(2)


def test_an_abandoned_file_leaves_the_earlier_run(tmp_path: Path) -> None:
    first, second = JsonlSink(tmp_path / "a.jsonl"), None
    first.close()
    second = JsonlSink(tmp_path / "a.jsonl")
    second.write(events(1)[0])
    second.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert list(read_events(tmp_path / "a.jsonl")) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        JsonlSink(tmp_path / "out" / "events.jsonl")
