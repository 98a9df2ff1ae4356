"""Several keepers: a stream has always the same one, and a lost one is missed by its own alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.run.live.earlier import Earlier
from pipeline.run.live.fleet import STREAMS_PER_KEEPER, keepers_for
from pipeline.run.live.keeper_pool import KeeperPool
from pipeline.run.live.keeping import Keeping
from pipeline.run.live.tended import StreamPlan
from pipeline.testing import brightness_lane
from tests.pipeline.run.live.inside import Inside

NAMES = [f"camera-{number:03}" for number in range(400)]


def pool(keepers: int) -> KeeperPool:
    return KeeperPool(Inside(), keepers, Metrics(), lambda *_: None)


def test_there_are_more_keepers_where_there_are_more_streams() -> None:
    most = STREAMS_PER_KEEPER
    assert [keepers_for(count) for count in (0, 1, most, most + 1, 10 * most)] == [1, 1, 1, 2, 10]


def test_a_stream_has_the_same_keeper_in_every_run_and_all_have_about_as_many() -> None:
    first, second = pool(4), pool(4)
    assert [first.number(name) for name in NAMES] == [second.number(name) for name in NAMES]
    shares = Counter(first.number(name) for name in NAMES)
    assert set(shares) == {0, 1, 2, 3}
    assert max(shares.values()) < 1.3 * len(NAMES) / 4


def test_a_lost_keeper_is_missed_by_its_own_streams(tmp_path: Path) -> None:
    crew, metrics, told = Inside(), Metrics(), list[str]()
    keeping = Keeping(crew, metrics, told.append, lambda _: None, 2)
    of = {KeeperPool(Inside(), 2, Metrics(), print).number(name): name for name in NAMES}
    address, keepers = LiveAddress("rtsp", "rtsp://10.0.0.4/main"), {}
    for number, name in of.items():
        plan = StreamPlan(name, address, (brightness_lane(),))
        metrics.begin(name, live=True)
        keeping.open(plan, tmp_path / name, Earlier(), None, {}, tables=False)
        keepers[number] = crew.keeper
    assert keepers[0] is not keepers[1]
    for _ in range(2):
        for keeper in keepers.values():
            assert keeper is not None
            keeper.answer_one()
        keeping.tick(set(crew.wait(keeping.waits_for(), 0)))
    assert all(keeping.opened(name) for name in of.values())
    keeping.settle(of[0], "brightness", [], [])
    assert crew.keeper is not None
    crew.keeper.die()
    keeping.tick(set(crew.wait(keeping.waits_for(), 0)))
    failing = {
        number: metrics.registry.get_sample_value("witness_sink_failing", {"stream": name})
        for number, name in of.items()
    }
    assert failing == {0: 1, 1: 0}
    lost = metrics.registry.get_sample_value("witness_keepers_lost_total", {"reason": "died"})
    assert (lost, told) == (1, ["it died; what the next one is to be told waits"])
    keeping.close()
