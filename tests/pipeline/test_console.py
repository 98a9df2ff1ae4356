from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipeline.console import ConsoleWatcher, print_summary
from pipeline.records import AudioInfo, Digest, Span, StreamInfo
from pipeline.run.job import Source, StreamResult

SOUND = AudioInfo("aac", 48_000, 1, "mono", Fraction(1, 48_000))
INFO = StreamInfo("yard", "yard.m4a", "mp4", None, SOUND, Fraction(10))


def console() -> Console:
    return Console(file=StringIO(), width=200)


def said(on: Console) -> str:
    assert isinstance(on.file, StringIO)
    return on.file.getvalue()


def digest(lane: str, label: str, track: int | None = None, start: int = 1) -> Digest:
    span = Span(Fraction(start), Fraction(start + 1))
    return Digest("yard", lane, span, label, 0.9, track)


def result(summary: dict[str, Any] | None, error: str | None = None) -> StreamResult:
    return StreamResult(Source("yard", "yard.m4a"), Path("out/yard"), INFO, summary, error)


def summary(**changes: Any) -> dict[str, Any]:
    return {
        "complete": True,
        "media_s": 10.0,
        "speed": 2.5,
        "counts": {"sound": {"bark": 2}, "instances": {"person": 40}, "action": {}},
        "tracks": {"instances": 3},
        "ledger": {"closed": True},
        **changes,
    }


def test_events_are_told_as_they_are_found_and_a_track_once() -> None:
    on = console()
    with ConsoleWatcher(on) as watcher:
        watcher.opened(INFO, ["action"])
        watcher.reached("yard", Fraction(3))
        watcher.found([digest("sound", "bark"), digest("instances", "person", 7)])
        watcher.found([digest("instances", "person", 7), digest("instances", "person")])
    told = said(on)
    assert "yard: no pictures, so lane action stays idle" in told
    assert told.count("bark (0.90)") == 1
    assert told.count("person #7 appears") == 1
    assert told.count("person") == 1


def test_names_from_outside_are_not_taken_for_markup() -> None:
    on = console()
    with ConsoleWatcher(on) as watcher:
        watcher.opened(INFO, [])
        watcher.found([digest("sound", "[red]bark[/]")])
        watcher.closed(result(None, "[bold]yard.m4a[/]: no such file"))
    assert "[red]bark[/]" in said(on)
    assert "error [bold]yard.m4a[/]: no such file" in said(on)


def test_a_quiet_watcher_tells_only_errors() -> None:
    on = console()
    with ConsoleWatcher(on, quiet=True) as watcher:
        watcher.opened(INFO, ["action"])
        watcher.found([digest("sound", "bark")])
        watcher.closed(result(None, "it broke"))
    assert said(on).strip() == "error it broke"


@pytest.mark.parametrize("claimed", [Fraction(12), Fraction(9), None])
def test_the_bar_of_a_source_that_was_read_to_its_end_is_full(claimed: Fraction | None) -> None:
    on = console()
    with ConsoleWatcher(on) as watcher:
        watcher.opened(replace(INFO, duration_from_header=claimed), [])
        watcher.reached("yard", Fraction(8))
        watcher.closed(result(summary()))
    assert "100%" in said(on) and "10.0 s" in said(on)


def test_the_bar_of_a_source_that_broke_off_stays_where_it_was() -> None:
    on = console()
    with ConsoleWatcher(on) as watcher:
        watcher.opened(INFO, [])
        watcher.reached("yard", Fraction(8))
        watcher.closed(result(summary(complete=False, media_s=8.0), "it broke off"))
    assert " 80%" in said(on) and "8.0 s" in said(on)


def test_the_summary_tells_what_was_found_and_what_was_not() -> None:
    on = console()
    failed = result(None, "no such file")
    print_summary(on, [result(summary()), result(summary(complete=False)), failed])
    told = said(on)
    assert "sound: bark x2" in told
    assert "instances: 3 tracks in 40 observations" in told
    assert "action: nothing" in told
    assert "2.50x real time" in told
    assert told.count("(not complete)") == 1
    assert told.count("failed") == 1
    assert "DO NOT CLOSE" not in told


def test_books_that_do_not_close_are_never_passed_over() -> None:
    on = console()
    print_summary(on, [result(summary(ledger={"closed": False}))])
    assert "THE BOOKS DO NOT CLOSE" in said(on)
