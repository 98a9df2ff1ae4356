"""The programs in examples/ do what they say, on small things."""

from __future__ import annotations

import runpy
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.masks import encode
from pipeline.records import Event, InstanceMask, Span
from pipeline.sinks.journal import Journal
from pipeline.sinks.parquet import ParquetSink
from pipeline.sinks.rows import row_from
from pipeline.whole import WholeSet

EXAMPLES = Path(__file__).parents[2] / "examples"
TEN, ELEVEN = datetime(2026, 11, 22, 10, tzinfo=UTC), datetime(2026, 11, 22, 11, tzinfo=UTC)


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / name))


def event(start: int, label: str = "alarm", instance: InstanceMask | None = None) -> Event:
    span = Span(Fraction(start), Fraction(start + 1))
    return Event("yard", "sound", span, label, 0.9, "net", "0" * 64, instance)


def line(start: int) -> dict[str, Any]:
    return {**row_from(event(start)), "start_utc": "2026-11-22T10:00:00.000+00:00"}


@pytest.mark.slow
def test_a_camera_goes_on_where_the_film_begins_again(film: Path, tmp_path: Path) -> None:
    example("camera.py")["send"](str(film), str(tmp_path / "sent.ts"), times=2)
    steps: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(str(tmp_path / "sent.ts")) as sent:
        for packet in sent.demux():
            if packet.dts is not None:
                steps[packet.stream.type].append(float(packet.dts * packet.time_base))
    for times in steps.values():
        assert (np.diff(times) > 0).all()
        assert 3.5 < times[-1] - times[0] < 4.5


def test_a_journal_is_followed_over_the_hour(tmp_path: Path) -> None:
    follow = example("follow_journal.py")["events"]
    journal = Journal(tmp_path / "events")
    journal.write([line(0), line(1)], TEN)
    journal.write([line(2)], ELEVEN)
    journal.close()
    told = follow(tmp_path)
    assert [next(told)["start_s"] for _ in range(3)] == [0, 1, 2]
    journal = Journal(tmp_path / "events")
    journal.write([line(3)], ELEVEN)
    journal.close()
    assert next(told)["start_s"] == 3


def test_what_is_taken_back_and_written_again_is_told_once(tmp_path: Path) -> None:
    follow = example("follow_journal.py")["events"]
    journal = Journal(tmp_path / "events")
    journal.write([line(0)], TEN)
    mark = journal.bookmark
    journal.write([line(1)], TEN)
    journal.close()
    told = follow(tmp_path)
    assert [next(told)["start_s"] for _ in range(2)] == [0, 1]
    after = Journal(tmp_path / "events", since=mark)
    after.write([line(1), line(2)], ELEVEN)
    after.close()
    assert (tmp_path / "events" / "2026-11-22T10.jsonl").read_bytes().count(b"\n") == 1
    assert next(told)["start_s"] == 2


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    follow = example("follow_journal.py")["events"]
    journal = Journal(tmp_path / "events")
    journal.write([line(0)], TEN)
    journal.close()
    with (tmp_path / "events" / "2026-11-22T10.jsonl").open("a") as file:
        file.write('{"lane":')
    assert [one["start_s"] for one in follow(tmp_path, once=True)] == [0]


@pytest.mark.parametrize("place", ["events/source=yard.mp4/1.parquet", "events.parquet"])
def test_results_are_read_with_their_masks(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bitmap = np.zeros((20, 40), bool)
    bitmap[5:15, 10:30] = True
    person = InstanceMask("person", 0.9, (10, 5, 30, 15), encode(bitmap), 7)
    path = tmp_path / place
    files = WholeSet(path.parent)
    sink = ParquetSink(files.file(path.name))
    for one in (event(0), event(1, "person", person)):
        sink.write(one)
    sink.close()
    files.finish()
    example("read_results.py")["main"](tmp_path if "/" in place else path)
    said = capsys.readouterr().out
    name = "yard.mp4" if "/" in place else "yard"
    assert [row.split() for row in said.splitlines()[:2]] == [
        [name, "sound", "alarm", "0", "tracks,", "1", "events"],
        [name, "sound", "person", "1", "tracks,", "1", "events"],
    ]
    assert said.endswith("largest: person 7 at 1.0 s covers 25.0% of the picture\n")
