"""The supervisor's side of the keeper: nothing is forgotten when answers get lost on their way."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cut import Progress
from pipeline.media.address import LiveAddress
from pipeline.metrics import Metrics
from pipeline.records import Failure, Mark, Prediction, Span
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.keeping import Keeping
from pipeline.run.live.tended import StreamPlan, Tended
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane

LANE = brightness_lane(batch=1)
TICKS = 600
LIGHT = np.array([[0.0, 1.0]], np.float32)


class Deadly:
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


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
        for _ in range(TICKS):
            keeping.tick(set(crew.wait(keeping.waits_for(), 0.1)))
            if settled["yard"] == 2 and not gone:
                gone.append(False)
                keeping.finish(stream, lambda: gone.append(True))
            if gone == [False, True]:
                break
        keeping.close()
    assert settled == {"yard": 2}
    assert "the machine is gone" in told[0]
    ledger = json.loads((tmp_path / "summary.json").read_text())["ledger"]
    assert ledger["closed"]
    assert ledger["lanes"][LANE.name]["failed"] == {"answers_lost": 1, "dark": 1}


def test_answers_under_which_every_keeper_dies_leave_no_hole(tmp_path: Path) -> None:
    plan = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
    stream = Tended(plan, 0, base=Progress(Fraction(3, 10), {"video": 3}, {}))
    settled, told, gone = Counter[str](), list[str](), list[bool]()
    with LocalCrew() as crew:
        keeping = Keeping(crew, Metrics(), told.append, lambda name: settled.update([name]))
        keeping.open(plan, tmp_path, Earlier(), None, {}, tables=False)
        keeping.settle("yard", LANE.name, Deadly(), [mark(0), mark(1)])
        keeping.settle("yard", LANE.name, [Prediction(mark(2), LIGHT)], [mark(2)])
        for _ in range(TICKS):
            keeping.tick(set(crew.wait(keeping.waits_for(), 0.1)))
            if settled["yard"] == 2 and not gone:
                gone.append(False)
                keeping.finish(stream, lambda: gone.append(True))
            if gone == [False, True]:
                break
        keeping.close()
    assert settled == {"yard": 2}
    assert told == ["yard: a call of the keeper failed twice and was given up"]
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
        for _ in range(TICKS):
            keeping.tick(set(crew.wait(keeping.waits_for(), 0.1)))
            if settled == {"yard": 2, "gate": 2}:
                break
        keeping.close()
    assert settled == {"yard": 2, "gate": 2}
    assert told == ["gate: the keeper could not take what it was told: KeyError('gate')"]
