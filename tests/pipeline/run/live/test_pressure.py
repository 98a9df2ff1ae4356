"""How busy the pool is: rivals are those that have something there, and nobody else."""

from __future__ import annotations

from pipeline.media.address import LiveAddress
from pipeline.run.live.pressure import Pressure
from pipeline.run.live.reader import ReadingRules
from pipeline.run.live.tended import StreamPlan, Tended
from pipeline.testing import brightness_lane

ADDRESS = LiveAddress("rtsp", "rtsp://10.0.0.4/main")


def stream(name: str, **rules: object) -> Tended:
    return Tended(StreamPlan(name, ADDRESS, (brightness_lane(),), ReadingRules(**rules)), 0)  # type: ignore[arg-type]


def test_streams_are_rivals_from_their_first_batch_to_their_last() -> None:
    pressure, yard, gate = Pressure(), stream("yard"), stream("gate")
    assert pressure.rivals == 1
    for one in (yard, yard, gate):
        pressure.handed(one)
    assert pressure.rivals == 2
    pressure.settled(yard)
    assert pressure.rivals == 2
    pressure.settled(yard)
    assert (pressure.rivals, yard.in_flight) == (1, 0)
    pressure.settled(yard)  # one too many, of a reader before this one, changes nothing
    pressure.forget("gate")
    assert pressure.rivals == 1


def test_rates_come_back_when_nothing_waits_any_more() -> None:
    pressure, late = Pressure(), stream("late", max_lag_s=5.0)
    keeps = stream("keeps", max_lag_s=5.0, keeps_rate=True)
    late.under_way.append(0.0)
    pressure.weigh(late)
    pressure.govern(4.9)
    assert [pressure.level(one) for one in (late, keeps)] == [1, 0]
    pressure.settled(late)
    now = 5.0
    while pressure.level(late):
        now += 1.0
        pressure.govern(now)
        assert now < 120.0
