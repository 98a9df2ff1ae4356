import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from models.runtime.roi import FeatureTable, GatheredRoIAlign

SIZE = (64, 96)


@pytest.mark.parametrize("side", [7, 14])
@pytest.mark.parametrize("names", [["0"], ["0", "1", "2"]])
def test_equals_torchvisions_for_any_boxes(side: int, names: list[str]) -> None:
    torch.manual_seed(side)
    maps = {str(n): torch.randn(1, 5, SIZE[0] // 4 >> n, SIZE[1] // 4 >> n) for n in range(3)}
    corner = torch.rand(200, 2) * 120 - 15
    extent = torch.rand(200, 2).square() * 120
    boxes = torch.cat((corner, corner + extent), 1)  # also outside of the picture, and tiny
    pool = MultiScaleRoIAlign(names, side, 2)
    wanted = pool(maps, [boxes], [SIZE])
    found = GatheredRoIAlign(pool, FeatureTable())(maps, [boxes], [SIZE])
    assert wanted.abs().max() > 1
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_no_box_gives_no_region() -> None:
    pool = MultiScaleRoIAlign(["0"], 7, 2)
    maps = {"0": torch.zeros(1, 5, 16, 24)}
    pool(maps, [torch.tensor([[0.0, 0, 8, 8]])], [SIZE])
    found = GatheredRoIAlign(pool, FeatureTable())(maps, [torch.zeros(0, 4)], [SIZE])
    assert found.shape == (0, 5, 7, 7)


def test_one_table_serves_two_pools_and_follows_the_picture() -> None:
    torch.manual_seed(0)
    table = FeatureTable()
    boxes = [torch.tensor([[4.0, 6.0, 40.0, 50.0]])]
    pools = [MultiScaleRoIAlign(["0"], side, 2) for side in (7, 14)]
    for _ in range(2):
        maps = {"0": torch.randn(1, 5, 16, 24)}
        for pool in pools:
            wanted = pool(maps, boxes, [SIZE])
            found = GatheredRoIAlign(pool, table)(maps, boxes, [SIZE])
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
