import pickle
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from pipeline.lanes.action import ActionLane
from pipeline.lanes.gate import GateConfig, MotionGateConfig
from pipeline.lanes.instances import InstancesLane
from pipeline.records import Frame
from pipeline.testing import ArrayPixels
from tests import networks

RATE = 5
WIDTH, HEIGHT = 320, 180
Picture = NDArray[np.uint8]
SCENE = np.random.default_rng(7).integers(60, 180, (HEIGHT // 20, WIDTH // 20)).astype(np.uint8)
EMPTY: Picture = np.kron(SCENE, np.ones((20, 20), np.uint8))


def person(left: int, top: int = 100, wide: int = 12, high: int = 30) -> Picture:
    out = EMPTY.copy()
    out[top : top + high, left : left + wide] = 250
    return out


def frames(pictures: list[Picture], first: int = 0, rate: int = RATE) -> Iterator[Frame]:
    for number, picture in enumerate(pictures, first):
        pixels = ArrayPixels(np.repeat(picture[..., None], 3, axis=2))
        yield Frame(number, number, 1, Fraction(1, rate), pixels)


def passed(pictures: list[Picture], **settings: object) -> list[int]:
    """The numbers of the frames that a gate lets through."""
    config = MotionGateConfig(**{"hold_s": 0, "heartbeat_s": 3600, **settings})  # type: ignore[arg-type]
    gate = config.build()()
    return [frame.index for frame in frames(pictures) if gate.wants(frame)]


def noisy(pictures: list[Picture], sigma: float, seed: int = 0) -> list[Picture]:
    draw = np.random.default_rng(seed)
    return [
        np.clip(picture + draw.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)
        for picture in pictures
    ]


def test_only_what_moves_passes() -> None:
    walks = [person(40 + 6 * n) for n in range(10)]
    assert passed([EMPTY] * 20 + walks + [EMPTY] * 20) == [0, *range(20, 30)]


@pytest.mark.parametrize("seconds", [0.4, 2.0])
def test_it_holds_on_after_the_last_motion(seconds: float) -> None:
    found = passed([EMPTY] * 20 + [person(40)] + [EMPTY] * 20, hold_s=seconds)
    held = int(seconds * RATE)
    assert found == [*range(held + 1), *range(20, 21 + held)]


def test_a_heartbeat_passes_now_and_then() -> None:
    assert passed([EMPTY] * 60, heartbeat_s=3) == [0, 15, 30, 45]


def test_motion_puts_the_heartbeat_off() -> None:
    assert passed([EMPTY] * 12 + [person(40)] + [EMPTY] * 20, heartbeat_s=3) == [0, 12, 27]


@given(st.floats(0, 12, allow_subnormal=False), st.integers(0, 99))
@settings(max_examples=20)
def test_noise_of_the_sensor_is_no_motion(sigma: float, seed: int) -> None:
    assert passed(noisy([EMPTY] * 25, sigma, seed)) == [0]


@given(st.floats(0, 8, allow_subnormal=False), st.integers(0, 99))
@settings(max_examples=20)
def test_who_walks_is_seen_through_the_noise(sigma: float, seed: int) -> None:
    walks = noisy([EMPTY] * 20 + [person(40 + 6 * n) for n in range(10)], sigma, seed)
    assert passed(walks) == [0, *range(20, 30)]


def test_slow_light_is_no_motion_and_neither_is_a_cloud() -> None:
    dusk = [np.clip(EMPTY - n / 10.0, 0, 255).astype(np.uint8) for n in range(200)]
    assert passed(dusk) == [0]
    cloud = [np.clip(EMPTY - 20.0, 0, 255).astype(np.uint8)] * 20
    assert passed([EMPTY] * 20 + cloud) == [0]
    lamp = [np.clip(EMPTY + 60.0, 0, 255).astype(np.uint8)] * 20
    assert passed([EMPTY] * 20 + lamp) == [0, 20]


def test_another_picture_passes_once_and_is_the_new_background() -> None:
    other = np.flipud(np.fliplr(EMPTY)).copy()
    assert passed([EMPTY] * 10 + [other] * 10) == [0, 10]
    smaller = np.ascontiguousarray(EMPTY[:, :200])
    assert passed([EMPTY] * 10 + [smaller] * 10) == [0, 10]


def test_what_stays_becomes_background() -> None:
    parked = [EMPTY] * 20 + [person(40)] * 300
    found = passed(parked, learn_s=5)
    assert found[:2] == [0, 20]
    assert found == [0, *range(20, found[-1] + 1)]
    assert 3 * RATE < len(found) < 20 * RATE


def test_learning_goes_by_time_and_not_by_frames() -> None:
    def seen_s(rate: int) -> float:
        gate = MotionGateConfig(learn_s=5, hold_s=0, heartbeat_s=3600).build()()
        pictures = [EMPTY] * rate + [person(40)] * (30 * rate)
        return sum(gate.wants(frame) for frame in frames(pictures, rate=rate)) / rate

    assert seen_s(2) == pytest.approx(seen_s(10), abs=1)


def test_what_came_into_view_during_an_outage_is_a_change() -> None:
    gate = MotionGateConfig(hold_s=0, heartbeat_s=3600).build()()
    assert [gate.wants(frame) for frame in frames([EMPTY] * 3)] == [True, False, False]
    later = frames([person(40)] * 2 + [EMPTY], first=5000)
    assert next(gate.wants(frame) for frame in later)


def test_nothing_is_seen_in_a_region_to_ignore() -> None:
    tree = ((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0))
    left = [EMPTY] * 10 + [person(40 + 6 * n) for n in range(10)]
    right = [EMPTY] * 10 + [person(220 + 6 * n) for n in range(10)]
    assert passed(left, ignore=(tree,)) == [0]
    assert passed(right, ignore=(tree,)) == [0, *range(10, 20)]
    shaded = np.clip(EMPTY - 20.0, 0, 255).astype(np.uint8)
    assert passed([EMPTY] * 10 + [shaded] * 10, ignore=(tree,)) == [0]
    everywhere = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    assert passed(left, ignore=(everywhere,)) == [0]


def test_least_area_is_a_share_of_what_is_watched() -> None:
    blink = [EMPTY] * 10 + [person(40)]  # 12 x 30 of 320 x 180 px: 0.6 %
    assert passed(blink, least_area=0.005) == [0, 10]
    assert passed(blink, least_area=0.01) == [0]
    lower_half = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))
    assert passed(blink, least_area=0.01, ignore=(lower_half,)) == [0, 10]


def test_the_short_form_is_the_kind_with_its_defaults() -> None:
    short = InstancesLane.model_validate({"kind": "instances", "gate": "motion"})
    long = InstancesLane.model_validate({"kind": "instances", "gate": {"kind": "motion"}})
    assert short == long
    assert short.gate == MotionGateConfig()
    assert InstancesLane(kind="instances").gate is None


@pytest.mark.parametrize(
    "wrong",
    [
        "sound",
        {"kind": "motion", "hold_s": -1},
        {"kind": "motion", "ignore": [[[0, 0], [1, 1]]]},
        {"kind": "motion", "ignore": [[[0, 0], [1, 1], [2, 0]]]},
        {"kind": "motion", "holds": 1},
        {"kind": "motion", "heartbeat_s": 0},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(GateConfig).validate_python(wrong)


def test_a_gate_travels_before_and_after_it_has_begun() -> None:
    make: Callable[[], object] = MotionGateConfig(hold_s=0).build()
    gate = pickle.loads(pickle.dumps(make))()
    first, second = frames([EMPTY] * 2)
    assert gate.wants(first)
    assert not pickle.loads(pickle.dumps(gate)).wants(second)


@pytest.mark.parametrize("make", [networks.action_lane, networks.instances_lane])
def test_a_lane_with_a_gate_sends_less_and_its_windower_travels(
    tmp_path: Path, make: Callable[[Path], ActionLane | InstancesLane]
) -> None:
    plain = make(tmp_path)
    gate = MotionGateConfig(hold_s=0, heartbeat_s=3600)
    gated = plain.model_copy(update={"gate": gate})
    for lane, config in (("plain", plain), ("gated", gated)):
        windower = pickle.loads(pickle.dumps(config.build("cpu").make_windower))("a")
        windows = [w for frame in frames([EMPTY] * 10, rate=1) for w in windower.push(frame)]
        assert (len(windows), windower.gated) == ((10, 0) if lane == "plain" else (1, 9))
        windower.set_level(9)
        assert [w for frame in frames([EMPTY], 10, rate=1) for w in windower.push(frame)] == []
        assert windower.dropped == {"lower_rate": 1}
