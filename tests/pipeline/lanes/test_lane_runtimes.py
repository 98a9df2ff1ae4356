from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.runtime import RuntimeName
from pipeline.lanes import LaneConfig
from pipeline.records import Mark, Prediction, Span, Window
from tests.networks import action_lane, instances_lane, sound_lane

pytestmark = pytest.mark.slow

LANES = {"action": action_lane, "instances": instances_lane, "sound": sound_lane}
SHAPES = {"action": (24, 32, 3), "instances": (48, 64, 3), "sound": (800,)}


def windows(lane: str) -> list[Window]:
    """Two streams, three windows each, in turn."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(6):
        shape = SHAPES[lane]
        data = (
            rng.integers(0, 255, shape, dtype=np.uint8)
            if len(shape) == 3
            else rng.uniform(-0.3, 0.3, shape).astype(np.float32)
        )
        at = number // 2
        mark = Mark(f"stream{number % 2}", lane, at, Span(Fraction(at), Fraction(at + 1)), 1)
        made.append(Window(mark, data))
    return made


def answers(lane: LaneConfig, runtime: RuntimeName) -> list[Prediction]:
    own = lane.model_copy(update={"runtime": runtime})
    return own.build("cpu").make_predictor().predict(windows(own.name))


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("lane", ["action", "instances", "sound"])
def test_a_lane_answers_alike_whatever_executes_its_network(
    tmp_path: Path, lane: str, runtime: RuntimeName
) -> None:
    config = LANES[lane](tmp_path)
    for one, other in zip(answers(config, runtime), answers(config, "eager"), strict=True):
        if other.scores is not None:
            np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        assert len(one.instances) == len(other.instances)
        for mine, theirs in zip(one.instances, other.instances, strict=True):
            assert mine.score == pytest.approx(theirs.score, abs=1e-4)
            assert mine.box == pytest.approx(theirs.box, abs=0.02)
