"""LeNet-5, twice: as LeCun, Bottou, Bengio and Haffner made it in 1998, and as it is made today.

Both take one channel of 32x32, and share the layers' names of the paper: C are convolutions, S
subsampling, F6 the last hidden layer. What decides is `output`; everything before it is the feature
of 84 numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 32
FEATURES = 84

# Table I of the paper: which maps of S2 each of the 16 maps of C3 sees.
CONNECTIONS: tuple[tuple[int, ...], ...] = (
    *(tuple((first + n) % 6 for n in range(3)) for first in range(6)),
    *(tuple((first + n) % 6 for n in range(4)) for first in range(6)),
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)


class ScaledTanh(nn.Module):
    """The paper's squashing: 1.7159 tanh(2/3 x), which maps 1 to 1 and -1 to -1."""

    def forward(self, values: Tensor) -> Tensor:
        """Any shape -> the same shape, within 1.7159 of 0."""
        return 1.7159 * torch.tanh(values * (2 / 3))


class Subsampling(nn.Module):
    """The sum of each 2x2 square, times a coefficient of the map, plus a bias: two numbers a map.

    (B, C, H, W) -> (B, C, H/2, W/2). It starts as the mean.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.full((channels, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2)."""
        return 4 * F.avg_pool2d(maps, 2) * self.coefficient + self.bias


class PartialConv(nn.Module):
    """A 5x5 convolution of 6 maps to 16, in which each output sees only its `CONNECTIONS`.

    (B, 6, H, W) -> (B, 16, H - 4, W - 4). Only the 60 kernels that exist are parameters.
    """

    outputs: Tensor
    inputs: Tensor

    def __init__(self) -> None:
        super().__init__()
        pairs = [(out, one) for out, seen in enumerate(CONNECTIONS) for one in seen]
        outputs, inputs = torch.tensor(pairs).unbind(1)
        self.register_buffer("outputs", outputs, persistent=False)
        self.register_buffer("inputs", inputs, persistent=False)
        self.weight = nn.Parameter(torch.empty(len(pairs), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(CONNECTIONS)))
        fan_in = torch.tensor([25.0 * len(CONNECTIONS[out]) for out, _ in pairs])[:, None, None]
        with torch.no_grad():
            self.weight.uniform_(-2.4, 2.4).div_(fan_in.to(self.weight.device))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 6, H, W) -> (B, 16, H - 4, W - 4)."""
        kernels = self.weight.new_zeros(len(CONNECTIONS), 6, 5, 5)
        kernels = kernels.index_put((self.outputs, self.inputs), self.weight)
        return F.conv2d(maps, kernels, self.bias)


class LeNet51998(nn.Module):
    """LeNet-5 of the paper, with 60,000 parameters up to F6; `output` is linear.

    The paper's output layer measures distances to bitmaps drawn by hand, which are no parameters;
    here a linear layer stands in its place, trained by cross-entropy. (B, 1, 32, 32) -> logits
    (B, classes). Weights start uniform in 2.4 over the number of inputs, as in the paper.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = PartialConv()
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, FEATURES)
        self.squash = ScaledTanh()
        self.output: nn.Module = nn.Linear(FEATURES, classes)
        for layer, fan_in in ((self.c1, 25), (self.c5, 400), (self.f6, 120)):
            nn.init.uniform_(layer.weight, -2.4 / fan_in, 2.4 / fan_in)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 1, 32, 32) -> logits (B, classes)."""
        maps = pictures
        for layer in (self.c1, self.s2, self.c3, self.s4, self.c5):
            maps = self.squash(layer(maps))
        logits: Tensor = self.output(self.squash(self.f6(maps.flatten(1))))
        return logits


class LeNet5(nn.Module):
    """LeNet-5 as it is made today: ReLU, max-pooling, every map of C3 sees all of S2.

    (B, 1, 32, 32) -> logits (B, classes).
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, FEATURES)
        self.output: nn.Module = nn.Linear(FEATURES, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 1, 32, 32) -> logits (B, classes)."""
        maps = F.max_pool2d(F.relu(self.c1(pictures)), 2)
        maps = F.max_pool2d(F.relu(self.c3(maps)), 2)
        maps = F.relu(self.c5(maps))
        logits: Tensor = self.output(F.relu(self.f6(maps.flatten(1))))
        return logits
