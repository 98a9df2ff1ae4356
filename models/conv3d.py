"""The clip CNNs, by name: a few frames in a row in, one feature vector out.

They convolve over time as well, so a feature tells of motion, and a clip has to be there whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.card import CheckpointError
from models.pretrained import load_published, torchvision_state


@dataclass(frozen=True, slots=True)
class ClipTrunk:
    """What stands behind a name: `make(**options)` returns the network and its feature size.

    `head` is the layer after the feature. `width`, `height` and `frames` are what it was published
    for; other sizes work as well. `mean` and `std` are of RGB in 0..1. `published` returns
    torchvision's weights enum member, and `licence` is what its publisher says of those weights.
    """

    make: Callable[..., tuple[nn.Module, int]]
    head: str
    width: int
    height: int
    frames: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    published: Callable[[], Any] | None = None
    licence: str = "Apache-2.0"


class SmallC3D(nn.Module):
    """3x3x3 convolutions all the way, after Tran et al. 2015, in small.

    (B, 3, T, H, W) -> (B, channels[-1] * grid * grid). As there, the first pooling leaves time
    alone; a grid of `grid` x `grid` means over space and time is the feature. `stride` is that of
    the first convolution, in space. Norms are over one clip.
    """

    def __init__(
        self, channels: Sequence[int] = (12, 24, 48), grid: int = 2, stride: int = 1
    ) -> None:
        super().__init__()
        inputs = (3, *channels)
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(zip(inputs[:-1], channels, strict=True)):
            depth, step = (2, 1) if number else (1, stride)
            layers += [
                nn.Conv3d(before, after, 3, (1, step, step), padding=1, bias=False),
                nn.GroupNorm(max(1, after // 8), after),
                nn.ReLU(inplace=True),
                nn.MaxPool3d((depth, 2, 2), ceil_mode=True),
            ]
        self.layers = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool3d((1, grid, grid))
        self.fc: nn.Module = nn.Identity()
        self.feature_size = channels[-1] * grid * grid

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) normalised -> (B, F)."""
        features: Tensor = self.fc(self.pool(self.layers(clips)).flatten(1))
        return features


def _c3d(**options: Any) -> tuple[nn.Module, int]:
    network = SmallC3D(**options)
    return network, network.feature_size


def _torchvision(name: str) -> tuple[nn.Module, int]:
    import torchvision

    network: nn.Module = getattr(torchvision.models.video, name)(weights=None)
    return network, 512


def _kinetics_weights(name: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(name).KINETICS400_V1


def _published(name: str) -> ClipTrunk:
    return ClipTrunk(
        make=partial(_torchvision, name),
        head="fc",
        width=112,
        height=112,
        frames=16,
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        published=partial(_kinetics_weights, name),
        licence=(
            "torchvision publishes these weights under BSD-3-Clause, trained on Kinetics-400, and "
            "leaves it to their user whether the terms of that data allow the use"
        ),
    )


CLIP_TRUNKS: dict[str, ClipTrunk] = {
    "c3d_small": ClipTrunk(_c3d, "fc", 32, 32, 12),
    "r3d_18": _published("r3d_18"),
    "mc3_18": _published("mc3_18"),
    "r2plus1d_18": _published("r2plus1d_18"),
}


class ClipCNN(nn.Module):
    """A named clip trunk with its normalisation: RGB clips in 0..1 -> feature.

    Attributes: `name`, `width`, `height` and `frames` of the clips it takes, `feature_size`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        width: int | None = None,
        height: int | None = None,
        frames: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if name not in CLIP_TRUNKS:
            message = f"no clip CNN is called {name!r}; there are {', '.join(sorted(CLIP_TRUNKS))}"
            raise CheckpointError(message)
        record = CLIP_TRUNKS[name]
        self.name = name
        self.width = width or record.width
        self.height = height or record.height
        self.frames = frames or record.frames
        self.trunk, self.feature_size = record.make(**options)
        self.trunk.set_submodule(record.head, nn.Identity())
        shape = (3, 1, 1, 1)
        self.register_buffer("mean", torch.tensor(record.mean).reshape(shape), persistent=False)
        self.register_buffer("std", torch.tensor(record.std).reshape(shape), persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) float RGB in 0..1 -> (B, F); ValueError for clips of any other size."""
        wanted = (self.frames, 3, self.height, self.width)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != wanted:
            message = f"{self.name} takes (B, *{wanted}), got {tuple(clips.shape)}"
            raise ValueError(message)
        features: Tensor = self.trunk((clips.transpose(1, 2) - self.mean) / self.std)
        return features

    def load_kinetics(self, *, offline: bool, announce: Callable[[str], None]) -> None:
        """Fills the trunk with torchvision's Kinetics-400 weights; see `models.pretrained`."""
        record = CLIP_TRUNKS[self.name]
        if record.published is None:
            message = f"{self.name} has no Kinetics weights; it is trained from scratch"
            raise CheckpointError(message)
        member = record.published()
        state = torchvision_state(member, offline=offline, announce=announce)
        kept = {key: value for key, value in state.items() if not key.startswith(record.head)}
        load_published(self.trunk, kept, str(member))
