"""The supervisor's side of the keeper: nothing is forgotten when answers get lost on their way."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.cut import Progress
from pipeline.media.address import LiveAddress
from pipeline.metrics import Metrics
from pipeline.records import Failure, Mark, Span
from pipeline.run.earlier import Earlier
from pipeline.run.keeping import Keeping
from pipeline.run.local_crew import LocalCrew
from pipeline.run.tended import StreamPlan, Tended
from pipeline.testing import brightness_lane

LANE = brightness_lane(batch=1)
TICKS = 600


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
