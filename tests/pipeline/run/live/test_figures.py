"""Whoever is replaced, and whenever: the counters are the true totals, and never fall."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.cut import Progress
from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.media.pulse import Reached, State
from pipeline.records import Mark, Prediction, Span
from pipeline.run.live import keeper_pool, keeping, lasting
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.figures import measure, vitals
from pipeline.run.live.reader import Beat, ReadingRules
from pipeline.run.live.tended import StreamPlan, Tended
from pipeline.testing import brightness_lane
from tests.pipeline.run.live.inside import Inside

LANE = brightness_lane(batch=1)
YARD = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), (LANE,))
TURNS = 1000
DARK, BRIGHT = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)


@dataclass
class Reading:
    """What one reader has done, and says when it is asked."""

    decoded: int = 0
    not_sampled: int = 0
    gated: int = 0
    late: int = 0
    handed: int = 0
    cpu_s: float = 0.0
    connections: int = 1
    broke: int = 0
    lost_s: float = 0.0
    state: State = "playing"

    def numbers(self) -> Counter[str]:
        return Counter({name: value for name, value in vars(self).items() if name != "state"})

    def beat(self, newest_at: float | None = None) -> Beat:
        name, dropped = LANE.name, {}
        if self.late:
            dropped = {name: {"lag": self.late}}
        progress = Progress(
            Fraction(self.decoded, 25),
            {"video": self.decoded},
            {name: self.not_sampled},
            {name: self.gated},
            dropped,
            decode_s={"video": self.cpu_s},
        )
        return Beat(
            self.state,
            0.0,
            0.0,
            "",
            0,
            self.connections,
            progress,
            {name: self.handed},
            Reached(),
            None,
            None,
            None,
            newest_at=newest_at,
            outages={"broke_off": self.broke} if self.broke else {},
            outage_s=self.lost_s,
        )


def counters(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.registry.collect()
        if family.type == "counter"
        for sample in family.samples
    }


def total(metrics: Metrics, name: str) -> float:
    """The sum over all labels."""
    return sum(v for (told, _), v in counters(metrics).items() if told == f"witness_{name}_total")


def lost(stream: Tended, reason: str) -> None:
    stream.worker = object()
    stream.lose("it died", reason, time.monotonic())


STEPS = st.lists(
    st.sampled_from(["read", "read", "read", "break", "tell", "tell", "show", "show", "lose"]),
    max_size=60,
)


@given(STEPS, st.randoms(use_true_random=False))
def test_readers_come_and_go_and_totals_are_the_sums_of_what_they_told(
    steps: list[str], random: Any
) -> None:
    metrics, stream, reading = Metrics(), Tended(YARD, 0), Reading()
    metrics.begin("yard", live=True)
    told, gone, losses, shown = Reading(connections=0), Counter[str](), 0, counters(metrics)
    for step in [*steps, "tell", "show"]:
        if step == "read":
            parts = [random.randrange(4) for _ in range(5)]
            reading.decoded += sum(parts)
            reading.not_sampled += parts[0]
            reading.gated += parts[1]
            reading.late += parts[2]
            reading.handed += parts[3]
            reading.cpu_s += 0.25
        elif step == "break":
            reading.broke += 1
            reading.connections += 1
            reading.lost_s += 2.0
        elif step == "tell":
            stream.worker, told = object(), replace(reading)
            stream.take(reading.beat())
        elif step == "lose":
            gone.update(told.numbers())
            known = told.not_sampled + told.gated + told.late + told.handed
            gone["given_up"] += told.decoded - known
            losses += stream.state[0] == "playing"
            lost(stream, "reader_lost")
            told, reading = Reading(connections=0), Reading()
        else:
            measure(metrics, stream, 0, None, time.monotonic())
            now = counters(metrics)
            assert all(now[key] >= before for key, before in shown.items())
            shown = now
    gone.update(told.numbers())
    for name in ("decoded", "not_sampled", "gated"):
        assert total(metrics, name) == gone[name]
    assert total(metrics, "dropped") == gone["late"] + gone["given_up"]
    assert total(metrics, "decode_seconds") == gone["cpu_s"]
    assert total(metrics, "stream_connections") == gone["connections"]
    assert total(metrics, "stream_outages") == gone["broke"] + losses
    assert total(metrics, "stream_outage_seconds") == gone["lost_s"]


class Watch:
    """A stream whose keeper may be replaced at any moment, and the metrics of it."""

    def __init__(self, folder: Path) -> None:
        self.crew, self.metrics = Inside(), Metrics()
        self.settled, self.read, self.gone = 0, 0, False
        self.stream = Tended(YARD, 0)
        self.metrics.begin("yard", live=True)
        self.keeping = keeping.Keeping(self.crew, self.metrics, lambda _: None, self._settled)
        self.keeping.open(YARD, folder, Earlier(), None, {}, tables=False)
        self.shown = counters(self.metrics)

    def _settled(self, _name: str) -> None:
        self.settled += 1

    def settle(self) -> None:
        span = Span(Fraction(self.read, 10), Fraction(self.read + 1, 10))
        mark = Mark("yard", LANE.name, self.read, span, 2, (16, 12), fresh=self.read == 0)
        self.read += 1
        decoded, passed = {"video": 3 * self.read}, {LANE.name: self.read}
        self.stream.base = Progress(span.end, decoded, passed)
        if self.keeping.takes_notes("yard"):
            self.keeping.note(self.stream)
        answer = Prediction(mark, BRIGHT if self.read % 3 else DARK)
        self.keeping.settle("yard", LANE.name, [answer], [mark])

    def tick(self) -> None:
        calls = self.keeping.waits_for()
        self.keeping.tick(set(self.crew.wait(calls, 0)))
        ledger = self.keeping.ledger("yard")
        if not self.gone:
            measure(self.metrics, self.stream, 0, ledger, time.monotonic())
        now = counters(self.metrics)
        assert all(now[key] >= before for key, before in self.shown.items())
        self.shown = now

    def work(self) -> None:
        assert self.crew.keeper is not None
        self.crew.keeper.answer_one()

    def until(self, there: Callable[[], bool]) -> None:
        for _ in range(TURNS):
            if there():
                return
            self.work()
            self.tick()
        pytest.fail("it comes to no end")

    def end(self) -> None:
        self.until(lambda: self.settled == self.read and self.keeping.opened("yard"))
        self.keeping.finish(self.stream, self._left)
        self.until(lambda: self.gone)
        self.keeping.close()

    def _left(self) -> None:
        ledger = self.keeping.ledger("yard")
        measure(self.metrics, self.stream, 0, ledger, time.monotonic())
        self.gone = True


@example(["settle", "work", "work", "tick", "mute", "tick", "mute", "tick", "settle", "mute"])
@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(
            ["settle", "settle", "work", "work", "work", "tick", "tick", "die", "mute"]
        ),
        max_size=40,
    )
)
def test_keepers_come_and_go_and_totals_are_those_of_the_books(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper_pool, "CHECKPOINT_S", 0.0)
        for module in (keeping, lasting):
            patch.setattr(module, "pause_s", lambda _: 0.0)
        watch = Watch(Path(place))
        for step in steps:
            assert watch.crew.keeper is not None
            if step == "settle":
                watch.settle()
            elif step == "work":
                watch.work()
            elif step == "tick":
                watch.tick()
            elif step == "mute":  # it does what it was told, and dies before it can say so
                watch.crew.keeper.answer_one(dies_before_telling=True)
            else:
                watch.crew.keeper.die()
        watch.end()
        ledger = json.loads((Path(place) / "summary.json").read_text())["ledger"]
        book = ledger["lanes"][LANE.name]
        journals = Path(place).glob("events/*.jsonl")
        rows = sum(len(path.read_text().splitlines()) for path in journals)
        assert ledger["closed"]
        assert total(watch.metrics, "analysed") == book["analysed"]
        assert total(watch.metrics, "failed") == sum(book["failed"].values())
        assert total(watch.metrics, "analysed") + total(watch.metrics, "failed") == 2 * watch.read
        assert total(watch.metrics, "events") == rows
        assert total(watch.metrics, "books_not_closed") == 0


def test_an_outage_that_lasts_grows_and_is_the_gap_in_the_end() -> None:
    stream, reading = Tended(YARD, 0, worker=object()), Reading(decoded=5, handed=5)
    stream.take(reading.beat(newest_at=1_000.0))
    now = stream.moved_at
    assert vitals(stream, 0, now + 50).outage_s == 0.0  # it plays
    reading.state, reading.broke = "waiting", 1
    stream.take(reading.beat(newest_at=1_000.0))
    assert vitals(stream, 0, now + 4).outage_s == 4.0
    lost(stream, "stalled")
    away = vitals(stream, 0, now + 9)
    assert (away.outages, away.outage_s, away.newest_at) == ({"broke_off": 1}, 9.0, 1_000.0)
    stream.worker = object()
    stream.take(Reading(lost_s=9.5).beat(newest_at=1_009.5))
    back = vitals(stream, 0, now + 20)
    assert (back.outages, back.outage_s, back.newest_at) == ({"broke_off": 1}, 9.5, 1_009.5)


def test_files_that_have_nothing_new_are_no_outage_yet() -> None:
    plan = replace(YARD, address=LiveAddress("folder", "/srv/recorder"))
    stream = Tended(plan, 0, worker=object())
    stream.take(Reading(state="waiting").beat(newest_at=1_000.0))
    assert vitals(stream, 0, stream.moved_at + 60).outage_s == 0.0


def test_the_rate_is_lowered_where_that_is_the_policy() -> None:
    streams = [Tended(YARD, 0), Tended(replace(YARD, rules=ReadingRules("drop_oldest")), 0)]
    assert [vitals(stream, 2, 0.0).level for stream in streams] == [2, 0]
