"""The frame CNNs, by name: one picture in, one feature vector out.

A frame CNN sees single frames; whatever has to do with order is the business of
`models.sequence`. So a stream runs every frame through it once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.card import CheckpointError
from models.checkpoint import load_into
from models.pretrained import torchvision_state

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Trunk:
    """What stands behind a name: how to make it, what it gives, what it expects.

    `make(width, height, **options)` returns the network and its feature size. `mean` and `std`
    are of RGB in 0..1. `pretrained` returns torchvision's weights enum member, where there is
    one, and `licence` is what its publisher says of those weights.
    """

    make: Callable[..., tuple[nn.Module, int]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    width: int
    height: int
    pretrained: Callable[[], Any] | None = None
    licence: str = "Apache-2.0"


class TinyTrunk(nn.Module):
    """A small CNN whose feature is a coarse grid, so that *where* something is stays visible.

    (B, 3, H, W) -> (B, grid_channels * H/8 * W/8) in 0..1, channels first. Norms are over one
    frame only, so nothing leaks from frame to frame. H and W are multiples of 8.
    """

    def __init__(self, channels: tuple[int, int, int], grid_channels: int) -> None:
        super().__init__()
        first, second, third = channels
        self.layers = nn.Sequential(
            *_block(3, first, kernel=5, stride=2),
            *_block(first, second, stride=2),
            *_block(second, second),
            *_block(second, third, stride=2),
            *_block(third, third),
            *_block(third, third, dilation=2),
        )
        self.grid = nn.Conv2d(third, grid_channels, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) normalised -> (B, F)."""
        features: Tensor = self.grid(self.layers(pictures)).sigmoid()  # B, C, H/8, W/8
        return features.flatten(1)


def _block(
    inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1
) -> tuple[nn.Module, ...]:
    padding = dilation * (kernel // 2)
    return (
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False),
        nn.GroupNorm(max(1, outputs // 8), outputs),
        nn.ReLU(inplace=True),
    )


def _tiny(
    width: int,
    height: int,
    *,
    channels: tuple[int, int, int] = (16, 32, 48),
    grid_channels: int = 8,
) -> tuple[nn.Module, int]:
    if width % 8 or height % 8:
        message = f"the tiny frame CNN takes multiples of 8, not {width}x{height}"
        raise ValueError(message)
    trunk = TinyTrunk((channels[0], channels[1], channels[2]), grid_channels)
    return trunk, grid_channels * (height // 8) * (width // 8)


def _torchvision(name: str, head: str, size: int, width: int, height: int) -> tuple[nn.Module, int]:
    import torchvision

    del width, height  # both end in a global average pool
    network: nn.Module = getattr(torchvision.models, name)(weights=None)
    setattr(network, head, nn.Identity())
    return network, size


def _resnet18_weights() -> Any:
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.IMAGENET1K_V1


def _mobilenet_weights() -> Any:
    from torchvision.models import MobileNet_V3_Small_Weights

    return MobileNet_V3_Small_Weights.IMAGENET1K_V1


_IMAGENET_LICENCE = "torchvision publishes these weights under BSD-3-Clause, trained on ImageNet-1k"

TRUNKS: dict[str, Trunk] = {
    "tiny": Trunk(_tiny, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 192, 144),
    "resnet18": Trunk(
        partial(_torchvision, "resnet18", "fc", 512),
        _IMAGENET_MEAN,
        _IMAGENET_STD,
        224,
        224,
        _resnet18_weights,
        _IMAGENET_LICENCE,
    ),
    "mobilenet_v3_small": Trunk(
        partial(_torchvision, "mobilenet_v3_small", "classifier", 576),
        _IMAGENET_MEAN,
        _IMAGENET_STD,
        224,
        224,
        _mobilenet_weights,
        _IMAGENET_LICENCE,
    ),
}


class FrameCNN(nn.Module):
    """A named trunk with its normalisation: RGB in 0..1 -> feature.

    Attributes: `name`, `width` and `height` of the pictures it takes, `feature_size`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, *, width: int | None = None, height: int | None = None, **options: Any
    ) -> None:
        super().__init__()
        if name not in TRUNKS:
            message = f"no frame CNN is called {name!r}; there are {', '.join(sorted(TRUNKS))}"
            raise CheckpointError(message)
        trunk = TRUNKS[name]
        self.name = name
        self.width = width or trunk.width
        self.height = height or trunk.height
        self.trunk, self.feature_size = trunk.make(self.width, self.height, **options)
        self.register_buffer("mean", torch.tensor(trunk.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(trunk.std)[:, None, None], persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) float RGB in 0..1 -> (B, F); ValueError for any other picture size."""
        if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, self.height, self.width):
            wanted = (3, self.height, self.width)
            message = f"{self.name} takes (B, *{wanted}), got {tuple(pictures.shape)}"
            raise ValueError(message)
        features: Tensor = self.trunk((pictures - self.mean) / self.std)
        return features

    def load_imagenet(self, *, offline: bool, announce: Callable[[str], None]) -> None:
        """Fills the trunk with torchvision's ImageNet weights; see `models.pretrained`."""
        pretrained = TRUNKS[self.name].pretrained
        if pretrained is None:
            message = f"{self.name} has no ImageNet weights; it is trained from scratch"
            raise CheckpointError(message)
        member = pretrained()
        state = torchvision_state(member, offline=offline, announce=announce)
        own = self.trunk.state_dict()
        # The classifier was taken off, and only its weights may be left over.
        kept = {key: value for key, value in state.items() if not key.startswith(_HEADS)}
        load_into(self.trunk, {**_counters(own), **kept}, str(member))


_HEADS = ("fc.", "classifier.")


def _counters(own: dict[str, Tensor]) -> dict[str, Tensor]:
    """BatchNorm's step counters, which torchvision's older files lack."""
    return {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
