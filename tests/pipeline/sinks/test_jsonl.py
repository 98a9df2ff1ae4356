import json
from fractions import Fraction
from pathlib import Path

from pipeline.records import Event, Span
from pipeline.sinks.jsonl import JsonlSink, read_events
from pipeline.whole import WholeFile, WholeSet


def events(count: int) -> list[Event]:
    return [
        Event("hof", "sound", Span(Fraction(n, 3), Fraction(n + 1, 3)), "Glöckchen", 0.5, "m", "0")
        for n in range(count)
    ]


def test_one_event_a_line_and_back(tmp_path: Path) -> None:
    path, outputs = tmp_path / "events.jsonl", WholeSet(tmp_path)
    sink = JsonlSink(outputs.file("events.jsonl"))
    for event in events(3):
        sink.write(event)
    sink.close()
    assert not path.exists()
    outputs.finish()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert json.loads(lines[1])["label"] == "Glöckchen"
    assert list(read_events(path)) == events(3)


def test_a_second_run_adds_nothing_twice(tmp_path: Path) -> None:
    for _ in range(2):
        outputs = WholeSet(tmp_path)
        sink = JsonlSink(outputs.file("events.jsonl"))
        for event in events(2):
            sink.write(event)
        sink.close()
        outputs.finish()
    assert list(read_events(tmp_path / "events.jsonl")) == events(2)


def test_an_abandoned_file_leaves_the_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("", encoding="utf-8")
    sink = JsonlSink(WholeFile(tmp_path / "a.jsonl"))
    sink.write(events(1)[0])
    sink.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert list(read_events(tmp_path / "a.jsonl")) == []
