import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.ops import FrozenBatchNorm2d

from models.runtime.base import Part
from models.runtime.layout import laid_out


def with_statistics(network: nn.Module) -> nn.Module:
    """Norms that do something, as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d | nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def changed(module: nn.Module) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """What became of a module, what it answers, and what the module answers."""
    pictures = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    part = Part("any", module, ("pictures",), ("answer",), (pictures,))
    ready = laid_out(part).module
    with torch.no_grad():
        return ready, ready(pictures), module(pictures)


def test_norms_vanish_into_their_convolutions() -> None:
    for norm in (nn.BatchNorm2d, FrozenBatchNorm2d):
        network = with_statistics(resnet18(weights=None, norm_layer=norm))
        ready, found, wanted = changed(network)
        assert not any(isinstance(module, norm) for module in ready.modules())
        assert any(isinstance(module, norm) for module in network.modules())
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_norms_that_look_at_the_picture_stay() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(2, 8), nn.ReLU()).eval()
    ready, found, wanted = changed(network)
    assert isinstance(ready.get_submodule("1"), nn.GroupNorm)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
