"""The supervisor's side of the keeper: nothing is forgotten when answers get lost on their way."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cut import Progress
from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.records import Failure, Gap, Mark, Prediction, Span
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.keeping import NOTES_AHEAD, Keeping
from pipeline.run.live.tended import GAPS_HELD, GIVEN_UP, MOST_UNTOLD, StreamPlan, Tended
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane

LANE = brightness_lane(batch=1)
WITHIN_S = 60.0
LIGHT = np.array([[0.0, 1.0]], np.float32)


class Deadly:
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


class Fatal:
    """Ends the process that it is sent to, until a file is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return live_or_die, (self.path,)


def live_or_die(path: Path) -> str:
    return path.name if path.exists() else os._exit(9)


def fussy(path: Path, stream: str) -> Any:
    """An aggregator, once a file is there."""
    if not path.exists():
        raise LookupError(path.name)
    return LANE.make_aggregator(stream)


def work(crew: LocalCrew, keeping: Keeping, there: Callable[[], object]) -> None:
    """Lets it work until `there`."""
    latest = time.monotonic() + WITHIN_S
    while not there():
        assert time.monotonic() < latest
        calls = keeping.waits_for()
        keeping.tick(set(crew.wait(calls, 0.1)) if calls else set())


def mark(index: int) -> Mark:
    span = Span(Fraction(index, 10), Fraction(index + 1, 10))
    return Mark("yard", LANE.name, index, span, 1, (16, 12), index == 0)


def test_answers_that_are_lost_are_counted_as_failed(tmp_path: Path) -> None:
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0, base=Progress(Fraction(2, 10), {"video": 2}, {}))
    settled, told, gone = Counter[str](), list[str](), list[bool]()
    lost: Future[Any] = Future()
    lost.set_exception(ValueError("the machine is gone"))
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), told.append, lambda name: settled.update([name]))
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False)
        keeping.settle("yard", LANE.name, lost, [mark(0)])
        keeping.settle("yard", LANE.name, [Failure(mark(1), "dark")], [mark(1)])
        work(crew, keeping, lambda: settled["yard"] == 2)
        keeping.finish(stream, lambda: gone.append(True))
        work(crew, keeping, lambda: gone)
        keeping.close()
    assert settled == {"yard": 2}
    assert "the machine is gone" in told[0]
    ledger = json.loads((tmp_path / "summary.json").read_text())["ledger"]
    assert ledger["closed"]
    assert ledger["lanes"][LANE.name]["failed"] == {"answers_lost": 1, "dark": 1}


@pytest.mark.slow
def test_answers_under_which_every_keeper_dies_leave_no_hole(tmp_path: Path) -> None:
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0, base=Progress(Fraction(3, 10), {"video": 3}, {}))
    settled, told, gone = Counter[str](), list[str](), list[bool]()
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), told.append, lambda name: settled.update([name]))
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False)
        keeping.settle("yard", LANE.name, Deadly(), [mark(0), mark(1)])
        keeping.settle("yard", LANE.name, [Prediction(mark(2), LIGHT)], [mark(2)])
        work(crew, keeping, lambda: settled["yard"] == 2)
        keeping.finish(stream, lambda: gone.append(True))
        work(crew, keeping, lambda: gone)
        keeping.close()
    assert settled == {"yard": 2}
    assert told == [
        "the keeper 0 ended: killed, crashed or out of memory;"
        " what the next one is to be told waits",
        "yard: a call of the keeper failed twice and was given up",
        "the keeper 0 answers again",
    ]
    book = json.loads((tmp_path / "summary.json").read_text())["ledger"]["lanes"][LANE.name]
    assert (book["analysed"], book["failed"]) == (1, {"answers_lost": 2})


def test_troubles_of_one_stream_are_told_once_and_as_its_own(tmp_path: Path) -> None:
    settled, told = Counter[str](), list[str]()
    address = LiveAddress("rtsp", "rtsp://10.0.0.4/main")
    yard, gate = (Tended(StreamPlan(name, address, (LANE,)), 0) for name in ("yard", "gate"))
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), told.append, lambda name: settled.update([name]))
        keeping.open(yard.plan, tmp_path, Earlier(), None, {}, tables=False)
        for stream in (gate, yard, gate, yard):  # the keeper was told of one alone
            keeping.note(stream)
            keeping.settle(stream.plan.name, LANE.name, [], [])
        work(crew, keeping, lambda: settled == {"yard": 2, "gate": 2})
        keeping.close()
    assert settled == {"yard": 2, "gate": 2}
    assert told == ["gate: the keeper could not take what it was told: KeyError('gate')"]


def gap(second: int, reason: Any = "away") -> Gap:
    return Gap("video", Span(Fraction(second), Fraction(second + 1)), reason)


def test_books_that_cannot_be_opened_are_tried_again_and_nothing_is_lost(tmp_path: Path) -> None:
    key = tmp_path / "key"
    lane = replace(LANE, make_aggregator=partial(fussy, key))
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (lane,))
    stream = Tended(plan, 0, base=Progress(Fraction(1, 10), {"video": 1}, {}), gaps=[gap(0)])
    settled, told, gone, metrics = Counter[str](), list[str](), list[bool](), Metrics()
    sink = partial(metrics.registry.get_sample_value, labels={"stream": "yard"})
    with LocalCrew() as crew:
        keeping = Keeping(crew, metrics, told.append, lambda name: settled.update([name]))
        note = partial(keeping.note, stream)
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False, opened=note)
        keeping.settle("yard", lane.name, [Prediction(mark(0), LIGHT)], [mark(0)])
        work(crew, keeping, lambda: told)
        assert not keeping.takes_notes("yard") and not settled
        assert sink("witness_sink_failing") == 1
        key.touch()
        work(crew, keeping, lambda: settled["yard"] == 1)
        keeping.finish(stream, lambda: gone.append(True))
        work(crew, keeping, lambda: gone)
        keeping.close()
    assert sink("witness_sink_failing") == 0
    assert sink("witness_sink_failures_total") == 1
    assert metrics.registry.get_sample_value("witness_books_not_closed_total") == 0
    assert told == [
        "yard: its books cannot be opened: LookupError('key')",
        "yard: its outputs can be written again",
    ]
    ledger = json.loads((tmp_path / "summary.json").read_text())["ledger"]
    assert (ledger["closed"], ledger["lanes"][lane.name]["analysed"]) == (True, 1)
    assert len(ledger["gaps"]) == 1


@pytest.mark.slow
def test_the_gaps_of_a_note_that_was_given_up_are_told_by_the_next(tmp_path: Path) -> None:
    key = tmp_path / "key"
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0, gaps=[gap(0), gap(2, Fatal(key))])
    told, gone = list[str](), list[bool]()
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), told.append, lambda _: None)
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False)
        work(crew, keeping, lambda: keeping.opened("yard"))
        keeping.note(stream)
        assert stream.gaps == []
        work(crew, keeping, lambda: stream.gaps)
        key.touch()
        stream.gaps.append(gap(4))
        keeping.finish(stream, lambda: gone.append(True))
        work(crew, keeping, lambda: gone)
        keeping.close()
    gaps = json.loads((tmp_path / "summary.json").read_text())["ledger"]["gaps"]
    assert [(one["start_s"], one["reason"]) for one in gaps] == [
        (0, "away"),
        (2, "key"),
        (4, "away"),
    ]


def test_notes_do_not_pile_up_before_a_keeper_that_hangs(tmp_path: Path) -> None:
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0)
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), lambda _: None, lambda _: None)
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False)
        work(crew, keeping, lambda: keeping.opened("yard"))
        [pid] = [worker.pid for worker in crew.workers if worker.name == "0"]
        os.kill(pid, signal.SIGSTOP)
        notes = 0
        while keeping.takes_notes("yard"):
            keeping.note(stream)
            notes += 1
        assert notes == NOTES_AHEAD
        os.kill(pid, signal.SIGCONT)
        work(crew, keeping, lambda: keeping.takes_notes("yard"))
        keeping.close()


def test_gaps_that_nobody_takes_are_counted_in_the_end() -> None:
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0, gaps=[gap(second) for second in range(GAPS_HELD)])
    note = stream.note()
    stream.gaps = [gap(GAPS_HELD)]
    stream.take_back(note)
    assert (stream.gaps[0], len(stream.gaps)) == (gap(1), GAPS_HELD)
    assert stream.gaps[-1] == gap(GAPS_HELD)
    assert stream.troubles == {GIVEN_UP: 1}
    for _ in range(MOST_UNTOLD - 1):
        stream.take_back(stream.note())
    assert (stream.gaps, stream.troubles) == ([], {GIVEN_UP: GAPS_HELD + 1})
