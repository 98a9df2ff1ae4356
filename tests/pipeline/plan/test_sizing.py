"""Plans from costs in round numbers."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.plan.sizing import Wish, plan
from tests.pipeline.plan.known import COSTS

WISH = Wish(10, 2.0, "360p", 15.0, ("instances", "sound"), kbit_per_s=500.0, headroom=1.0)


def test_every_role_by_hand() -> None:
    found = plan(WISH, COSTS)
    assert found.windows_per_s == {"instances": 20.0, "sound": 20.0}
    # A reader: 10 + 15 frames + 5 for their bits + 2 windows of 2 ms.
    assert found.cores["readers"] == pytest.approx(10 * 0.034)
    # With full calls 20 x 50 + 20 x 10 ms, and 10 for checkpoints: two members, which then have
    # time for others.
    assert found.members == 2
    assert found.cores["pool members"] == pytest.approx(2.0)
    assert found.cores["supervisor"] == pytest.approx(0.08)
    assert found.cores["keeper"] == pytest.approx(0.02 + 0.04)
    assert found.wanted_cores == 3  # 0.48 for all else, and the members
    assert found.memory_mib == {
        "readers": 400.0,
        "pool members": 900.0,
        "supervisor": 200.0,
        "keeper": 100.0,
    }
    assert found.network_mbit_per_s == pytest.approx(10 * 0.564)
    assert found.disk_gb_per_day == pytest.approx(20 * 1000 * 86_400 / 1e9)
    assert found.nodes is None


def test_few_windows_have_calls_of_their_own() -> None:
    found = plan(replace(WISH, streams=2), COSTS)
    assert found.cores["pool members"] == pytest.approx((4 * 100 + 4 * 10 + 2) / 1000)
    assert found.members == 1


def test_a_gate_saves_windows_and_takes_its_looks() -> None:
    found = plan(replace(WISH, gated=0.75), COSTS)
    assert found.windows_per_s == {"instances": 5.0, "sound": 20.0}
    assert found.cores["readers"] == pytest.approx(10 * (10 + 15 + 5 + 1 + 1) / 1000)


def test_sound_alone_decodes_no_pictures() -> None:
    found = plan(replace(WISH, lanes=("sound",)), COSTS)
    assert found.cores["readers"] == pytest.approx(0.1)


def test_a_lane_keeps_the_rate_of_its_network() -> None:
    found = plan(replace(WISH, fps=8.0), COSTS)
    assert found.windows_per_s == {"instances": 80.0, "sound": 20.0}


def test_nodes_are_as_many_as_the_scarcer_thing_wants() -> None:
    many = replace(WISH, streams=1000, cores_per_node=16)
    by_cores = plan(many, COSTS)
    assert by_cores.nodes == -(-by_cores.wanted_cores // 16)
    by_memory = plan(replace(many, memory_per_node_gib=1.0), COSTS)
    assert by_memory.nodes is not None
    assert by_memory.nodes > (by_cores.nodes or 0)


def test_a_witness_more_where_one_supervisor_is_not_enough() -> None:
    assert plan(WISH, COSTS).witnesses == 1
    assert plan(replace(WISH, streams=401), COSTS).witnesses == 4  # 3.2 cores for supervisors
    few = replace(WISH, streams=401, lanes=("sound",), streams_per_witness=150)
    assert plan(few, COSTS).witnesses == 3


def test_a_keeper_for_every_two_hundred_streams_and_one_that_stands_by() -> None:
    of = {count: plan(replace(WISH, streams=count, lanes=("sound",)), COSTS) for count in (10, 240)}
    assert {count: found.memory_mib["keeper"] for count, found in of.items()} == {10: 100, 240: 150}


def test_gpus_only_as_somebody_says() -> None:
    found = plan(replace(WISH, gpu_windows_per_s=30.0), COSTS)
    assert found.gpus == found.members == 2
    assert found.cores["pool members"] == pytest.approx((20 * 3 + 20 * 1 + 10) / 1000)
    assert any("as you say" in told for told in found.assumptions)
    assert plan(WISH, COSTS).gpus is None


@pytest.mark.parametrize(("field", "value"), [("size", "8k"), ("lanes", ("smell",))])
def test_what_nobody_measured_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match="measured are"):
        plan(replace(WISH, **{field: value}), COSTS)


def test_all_that_is_assumed_is_told() -> None:
    told = "\n".join(plan(replace(WISH, gated=0.5, kbit_per_s=None), COSTS).assumptions)
    for part in ("an abacus", "typical", "50%", "headroom 1", "lane sound: 2 windows", "clip"):
        assert part in told


@given(
    streams=st.integers(1, 20_000),
    fps=st.floats(0.1, 25, allow_subnormal=False),
    gated=st.floats(0, 1, allow_subnormal=False),
    headroom=st.floats(1, 3, allow_subnormal=False),
)
def test_more_streams_never_take_less(
    streams: int, fps: float, gated: float, headroom: float
) -> None:
    wish = replace(WISH, streams=streams, fps=fps, gated=gated, headroom=headroom)
    one, more = plan(wish, COSTS), plan(replace(wish, streams=streams + 1), COSTS)
    assert more.used_cores >= one.used_cores > 0
    assert more.wanted_cores >= one.wanted_cores >= one.used_cores - 1e-9
    assert more.wanted_memory_gib > one.wanted_memory_gib
    assert more.members >= one.members >= 1
