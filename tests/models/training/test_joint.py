import pytest
import torch
from torch import nn

from models.training.joint import Share, WholeMask, joined_modules, present
from models.wavenet import BandMask
from tests.models.training.teams import Odd


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("drawn", [nn.Dropout(0.4), BandMask(4)])
def test_masks_of_parts_are_that_of_the_whole(drawn: nn.Module, each: int) -> None:
    x = torch.randn(5 * each, 7, 12)
    torch.manual_seed(3)
    whole = drawn(x)
    assert not torch.equal(whole, x)
    parts = []
    for start, stop in ((0, 2), (2, 5)):
        torch.manual_seed(3)
        with present(Share(start, stop, 5)):
            parts.append(WholeMask(drawn)(x[start * each : stop * each]))
    torch.testing.assert_close(torch.cat(parts), whole)


def test_a_mask_is_itself_outside_a_team_and_when_judged() -> None:
    x = torch.randn(4, 6)
    mask = WholeMask(nn.Dropout(0.5))
    torch.manual_seed(0)
    alone = mask(x)
    torch.manual_seed(0)
    assert torch.equal(alone, nn.functional.dropout(x, 0.5))
    with present(Share(0, 4, 8)):
        assert torch.equal(mask.eval()(x), x)


def test_a_network_keeps_its_names_and_gets_its_modules_back() -> None:
    network = Odd().eval()
    before = {name: type(one) for name, one in network.named_modules()}
    names = list(network.state_dict())
    with joined_modules(network):
        assert isinstance(network.mask, WholeMask)
        assert not network.norm.training
        assert list(network.state_dict()) == names
        network.train()
    assert {name: type(one) for name, one in network.named_modules()} == before
    assert network.norm.training
