"""The frame CNNs, by name: one picture in, one feature vector out, or the scores of a classifier.

A frame CNN sees single frames; whatever has to do with order is the business of
`models.sequence`. So a stream runs every frame through it once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import Card, CheckpointError
from models.checkpoint import load_into, load_network
from models.lenet import FEATURES, SIZE, LeNet5, LeNet51998
from models.pretrained import torchvision_state
from models.tiny_cnn import TinyTrunk

AUXILIARY_WEIGHT = 0.3  # Szegedy et al. 2015, section 5


@dataclass(frozen=True, slots=True)
class Trunk:
    """What stands behind a name: how to make it, what it gives, what it expects.

    `make(width, height, classes, **options)` returns the whole classifier and the size of its
    feature, which is what enters the layer `head`; `size` is that of a picture of `width` x
    `height`. With `classes` 0 only the feature matters. `mean` and `std` are of RGB in 0..1, or of
    grey where there is one number. `published` returns torchvision's weights enum member, where
    there is one, and `licence` is what its publisher says of those weights.
    """

    make: Callable[..., tuple[nn.Module, int]]
    head: str
    size: int
    width: int
    height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    published: Callable[[], Any] | None = None
    licence: str = "Apache-2.0"


def _tiny(width: int, height: int, classes: int, **options: Any) -> tuple[nn.Module, int]:
    network = TinyTrunk(width, height, classes, **options)
    return network, network.feature_size


def _lenet(
    network: type[LeNet5] | type[LeNet51998], width: int, height: int, classes: int
) -> tuple[nn.Module, int]:
    if (width, height) != (SIZE, SIZE):
        message = f"LeNet-5 takes {SIZE}x{SIZE} alone, not {width}x{height}"
        raise ValueError(message)
    return network(max(1, classes)), FEATURES


def _torchvision(
    name: str, size: int, width: int, height: int, classes: int, **options: Any
) -> tuple[nn.Module, int]:
    import torchvision

    del width, height  # all of them end in a pool to a fixed size
    make = getattr(torchvision.models, name)
    network: nn.Module = make(weights=None, num_classes=max(1, classes), **options)
    return network, size


def _googlenet(width: int, height: int, classes: int) -> tuple[nn.Module, int]:
    """With its two auxiliary classifiers where there is something to classify."""
    options = {"aux_logits": classes > 0, "init_weights": True}
    return _torchvision("googlenet", 1024, width, height, classes, **options)


def _imagenet_weights(name: str) -> Any:
    from torchvision.models import get_model_weights

    return get_model_weights(name).IMAGENET1K_V1


def _published(name: str, head: str, size: int) -> Trunk:
    return Trunk(
        make=partial(_torchvision, name, size),
        head=head,
        size=size,
        width=224,
        height=224,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        published=partial(_imagenet_weights, name),
        licence=(
            "torchvision publishes these weights under BSD-3-Clause, trained on ImageNet-1k, and "
            "leaves it to their user whether the terms of that data allow the use"
        ),
    )


_INK = ((0.1 / 1.275,), (1 / 1.275,))  # LeCun et al. 1998: the ground is -0.1, ink is 1.175
_GOOGLENET = _published("googlenet", "fc", 1024)

TRUNKS: dict[str, Trunk] = {
    "tiny": Trunk(_tiny, "decide", 3456, 192, 144, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
    "lenet5": Trunk(partial(_lenet, LeNet5), "output", FEATURES, SIZE, SIZE, *_INK),
    "lenet5_1998": Trunk(partial(_lenet, LeNet51998), "output", FEATURES, SIZE, SIZE, *_INK),
    "alexnet": _published("alexnet", "classifier.6", 4096),
    "vgg16": _published("vgg16", "classifier.6", 4096),
    "vgg19": _published("vgg19", "classifier.6", 4096),
    "googlenet": Trunk(
        make=_googlenet,
        head=_GOOGLENET.head,
        size=_GOOGLENET.size,
        width=224,
        height=224,
        # Its weights come from another framework and want -1..1, whatever torchvision's say.
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        published=_GOOGLENET.published,
        licence=_GOOGLENET.licence,
    ),
    "resnet18": _published("resnet18", "fc", 512),
    "resnet34": _published("resnet34", "fc", 512),
    "resnet50": _published("resnet50", "fc", 2048),
    "resnet101": _published("resnet101", "fc", 2048),
    "resnet152": _published("resnet152", "fc", 2048),
    "mobilenet_v3_small": _published("mobilenet_v3_small", "classifier", 576),
    "mobilenet_v3_large": _published("mobilenet_v3_large", "classifier", 960),
    "efficientnet_b0": _published("efficientnet_b0", "classifier", 1280),
    "convnext_tiny": _published("convnext_tiny", "classifier.2", 768),
}


class FrameCNN(nn.Module):
    """A named trunk with its normalisation: RGB in 0..1 -> feature.

    With `classes`, the layers that the trunk's own classifier has after the feature come too, as
    `head`, and `classify` and `loss` can be used. Attributes: `name`, `width` and `height` of the
    pictures it takes, `feature_size`.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        width: int | None = None,
        height: int | None = None,
        classes: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        if name not in TRUNKS:
            message = f"no frame CNN is called {name!r}; there are {', '.join(sorted(TRUNKS))}"
            raise CheckpointError(message)
        record = TRUNKS[name]
        self.name = name
        self.width = width or record.width
        self.height = height or record.height
        self.trunk, self.feature_size = record.make(self.width, self.height, classes, **options)
        self.head = self.trunk.get_submodule(record.head) if classes else None
        self.trunk.set_submodule(record.head, nn.Identity())
        self.register_buffer("mean", torch.tensor(record.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(record.std)[:, None, None], persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) float RGB in 0..1 -> (B, F); ValueError for any other picture size."""
        return self._run(pictures)[0]

    def classify(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) float RGB in 0..1 -> logits (B, classes)."""
        return self._decide(self(pictures))

    def loss(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of (B, 3, H, W) pictures against labels (B,), a scalar.

        Auxiliary classifiers, which GoogLeNet has in training, add theirs by 0.3.
        """
        features, auxiliary = self._run(pictures)
        total = F.cross_entropy(self._decide(features), labels)
        for logits in auxiliary:
            total = total + AUXILIARY_WEIGHT * F.cross_entropy(logits, labels)
        return total

    def load_imagenet(self, *, offline: bool, announce: Callable[[str], None]) -> None:
        """Fills the trunk with torchvision's ImageNet weights; see `models.pretrained`.

        Heads keep their own: they need not have ImageNet's classes.
        """
        record = TRUNKS[self.name]
        if record.published is None:
            message = f"{self.name} has no ImageNet weights; it is trained from scratch"
            raise CheckpointError(message)
        member = record.published()
        state = torchvision_state(member, offline=offline, announce=announce)
        heads = (f"{record.head}.", "aux1.", "aux2.")
        own = {key: value for key, value in self.trunk.state_dict().items() if _kept(key)}
        published = {key: value for key, value in state.items() if not key.startswith(heads)}
        load_into(self.trunk, {**own, **published}, str(member))

    def _decide(self, features: Tensor) -> Tensor:
        if self.head is None:
            message = f"{self.name} was made without classes and gives features alone"
            raise ValueError(message)
        logits: Tensor = self.head(features)
        return logits

    def _run(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features (B, F), and the logits of the auxiliary classifiers that ran."""
        if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (3, self.height, self.width):
            wanted = (3, self.height, self.width)
            message = f"{self.name} takes (B, *{wanted}), got {tuple(pictures.shape)}"
            raise ValueError(message)
        if len(self.mean) == 1:
            pictures = _grey(pictures)
        found = self.trunk((pictures - self.mean) / self.std)
        if isinstance(found, Tensor):
            return found, []
        features, *auxiliary = found
        return features, [logits for logits in auxiliary if logits is not None]


def _grey(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) RGB -> (B, 1, H, W) luma as in ITU-R BT.601."""
    red, green, blue = pictures.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def _kept(key: str) -> bool:
    """What torchvision's files need not have.

    BatchNorm's step counters, which its older files lack, and heads for other classes.
    """
    return key.endswith("num_batches_tracked") or key.startswith(("aux1.", "aux2."))


def load_frames(weights: str | Path, device: str = "cpu") -> tuple[Card, FrameCNN]:
    """Card and frame classifier, in eval mode on `device`, of a shipped name or a path."""
    return load_network(weights, "frames", lambda architecture: FrameCNN(**architecture), device)
