import copy

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.models.detection import MaskRCNN

from models.card import Card
from models.mask_rcnn import Found, Segmenter, build
from models.runtime import RuntimeName, get_runtime
from models.runtime.equality import best_match
from models.runtime.instances import filled_up, run_instances
from tests.networks import INSTANCES

pytestmark = pytest.mark.slow

CARD = Card("blur", "mask_rcnn", ("thing",), INSTANCES, {"min_size": 48})


@pytest.fixture(scope="module")
def network() -> MaskRCNN:
    torch.manual_seed(0)
    return build(INSTANCES).eval()


def pictures(count: int, high: int, wide: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(high)
    return list(rng.integers(0, 255, (count, high, wide, 3), dtype=np.uint8))


def found_by(network: MaskRCNN, count: int, high: int, wide: int) -> list[list[Found]]:
    segmenter = Segmenter(network, CARD, batch=2, score_threshold=0.3)
    return segmenter.segment(pictures(count, high, wide), [(2 * wide, 2 * high)] * count)


@pytest.mark.parametrize("runtime", ["eager", "onnx", "openvino"])
def test_finds_what_eager_finds_at_any_size_and_in_any_batch(
    runtime: RuntimeName, network: MaskRCNN
) -> None:
    running = run_instances(copy.deepcopy(network), get_runtime(runtime), "float32")
    for count, high, wide in ((1, 48, 64), (3, 48, 64), (2, 40, 90)):
        wanted = found_by(network, count, high, wide)
        found = found_by(running, count, high, wide)
        assert sum(map(len, wanted)) > 5
        for mine, theirs in zip(found, wanted, strict=True):
            assert [one.label for one in mine] == [one.label for one in theirs]
            for one, other in zip(mine, theirs, strict=True):
                assert one.score == pytest.approx(other.score, abs=1e-4)
                assert one.box == pytest.approx(other.box, abs=0.02)


def test_the_given_network_still_runs_as_it_did(network: MaskRCNN) -> None:
    before = found_by(network, 1, 48, 64)
    run_instances(network, get_runtime("onnx"), "float32")
    assert found_by(network, 1, 48, 64) == before


def test_bfloat16_finds_boxes_near_those_of_float32(network: MaskRCNN) -> None:
    running = run_instances(copy.deepcopy(network), get_runtime("eager"), "bfloat16")
    wanted, found = (found_by(one, 1, 48, 64)[0] for one in (network, running))
    assert sum(best_match(one, found).box_iou > 0.8 for one in wanted) > len(wanted) / 2


@pytest.mark.parametrize(
    ("count", "most", "filled"), [(0, 60, 4), (4, 60, 4), (5, 60, 8), (33, 60, 60), (60, 60, 60)]
)
def test_regions_are_filled_up_to_few_numbers(count: int, most: int, filled: int) -> None:
    assert filled_up(count, most) == filled
