"""Gates that look at no picture."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.cut import Reader
from pipeline.lane import Gate
from pipeline.lanes.action import ActionLane
from pipeline.lanes.gate import GateConfig
from pipeline.lanes.instances import InstancesLane
from pipeline.lanes.packet_gate import CALIBRATING, PacketGateConfig, VectorGateConfig
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.windowing import FrameWindower, fit_short_side
from pipeline.media.decode import Decoder
from pipeline.media.scan import ScanSettings
from pipeline.records import Frame
from pipeline.testing import ArrayPixels
from tests.clips import Picture, Recipe, make

NOTHING = ArrayPixels(np.zeros((2, 2, 3), np.uint8))
RATE = 5
KINDS = [PacketGateConfig, VectorGateConfig]


def frames(busy: Sequence[float], every: int = 5) -> list[Frame]:
    """Sampled frames; with each, `busy` times the usual was read since the one before, or moves."""
    draw = np.random.default_rng(0)
    out, total = [], 0
    for number, factor in enumerate(busy):
        total += int(every * 800 * factor * draw.normal(1, 0.05))
        share = 0.004 * factor * draw.normal(1, 0.1)
        out.append(Frame(number * every, number, 1, Fraction(1, RATE), NOTHING, total, share))
    return out


def passed(config: PacketGateConfig | VectorGateConfig, seen: Sequence[Frame]) -> list[int]:
    gate: Gate = config.build()()
    return [number for number, frame in enumerate(seen) if gate.wants(frame)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_busier_than_usual_passes(kind: Callable[..., PacketGateConfig]) -> None:
    config = kind(hold_s=0, heartbeat_s=3600)
    found = passed(config, frames([1.0] * 100 + [2.0] * 10 + [1.0] * 40))
    assert set(found) >= {*range(CALIBRATING - 1), *range(101, 110)}
    assert len(found) < CALIBRATING + 18


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_and_beats(kind: Callable[..., PacketGateConfig]) -> None:
    seen = frames([1.0] * 100 + [3.0] * 4 + [1.0] * 100)
    found = passed(kind(hold_s=2, heartbeat_s=4), seen)
    assert set(range(102, 113)) <= set(found)
    quiet = [number for number in found if number > 120]
    assert {b - a for a, b in pairwise(quiet)} == {4 * RATE}


@pytest.mark.parametrize("kind", KINDS)
def test_activity_for_a_third_of_the_time_is_no_measure(
    kind: Callable[..., PacketGateConfig],
) -> None:
    seen = frames(([1.0] * 20 + [2.5] * 10) * 10)
    found = passed(kind(hold_s=0, heartbeat_s=3600), seen)
    assert {n for n in range(CALIBRATING, 300) if n % 30 > 21} <= set(found)


def test_where_nothing_is_told_everything_passes() -> None:
    silent = [Frame(n, n, 1, Fraction(1, RATE), NOTHING) for n in range(200)]
    assert len(passed(PacketGateConfig(), silent)) == 200
    assert len(passed(VectorGateConfig(), silent)) == 200


@pytest.mark.parametrize("kind", ["packets", "vectors", "motion"])
def test_a_name_is_enough(kind: str) -> None:
    config = TypeAdapter(GateConfig).validate_python(kind)
    assert config.kind == kind
    pickle.loads(pickle.dumps(config.build()))()


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="radar"):
        TypeAdapter(GateConfig).validate_python("radar")


def test_frames_tell_what_was_read_and_what_moves(tmp_path: Path) -> None:
    path = make(tmp_path, Recipe("mp4", Picture(), None))
    with Decoder(str(path), scan=ScanSettings(kind="vectors")) as decoder:
        told = [item for item in decoder.items() if isinstance(item, Frame)]
    read = [frame.read_bytes for frame in told]
    assert read == sorted(read)
    assert 0 < read[-1] < path.stat().st_size
    assert {frame.moving is None for frame in told if frame.index % 10 == 0} == {True}
    assert [frame.index for frame in told if frame.moving is not None]
    with Decoder(str(path)) as decoder:
        plain = [item for item in decoder.items() if isinstance(item, Frame)]
    assert {frame.moving for frame in plain} == {None}


@pytest.mark.parametrize("lane", [ActionLane(kind="action"), InstancesLane(kind="instances")])
def test_decoders_keep_vectors_for_a_lane_whose_gate_goes_by_them(
    lane: ActionLane | InstancesLane, tmp_path: Path
) -> None:
    path = make(tmp_path, Recipe("mp4", Picture(), None))
    for config, wanted in ((None, False), (PacketGateConfig(), False), (VectorGateConfig(), True)):
        gate = Looking()
        windower = FrameWindower("yard", "x", RateSampler(25), fit_short_side(32), gate=gate)
        built = lane.model_copy(update={"gate": config}).build("cpu")
        reader = Reader(str(path), "yard", [replace(built, make_windower=partial(given, windower))])
        list(reader.cuts())
        reader.close()
        assert any(frame.moving is not None for frame in gate.seen) == wanted


def given(windower: FrameWindower, _stream: str) -> FrameWindower:
    return windower


class Looking:
    """A gate that keeps what it was asked about."""

    def __init__(self) -> None:
        self.seen: list[Frame] = []

    def wants(self, frame: Frame) -> bool:
        """Nothing but what has to pass."""
        self.seen.append(frame)
        return False
