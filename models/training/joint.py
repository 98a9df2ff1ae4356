"""Modules that look at a whole batch while each worker of a team holds but a part of it.

Batch normalisation needs the statistics of all parts. (torch has that for GPUs alone.) Dropout and
other random masks need none, but are drawn for the whole batch by everybody, from generators that
are in step, so that a run does not depend on how many share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.wavenet import BandMask


@dataclass(frozen=True, slots=True)
class Share:
    """The rows `start` to `stop` of a batch of `whole`."""

    start: int
    stop: int
    whole: int


_SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


@contextmanager
def present(share: Share) -> Iterator[None]:
    """While the block runs, what is computed belongs to that share of a batch."""
    token = _SHARE.set(share)
    try:
        yield
    finally:
        _SHARE.reset(token)


class WholeMask(nn.Module):
    """A module that multiplies by random numbers, which it draws for the whole batch.

    Each row of the batch may be several rows of the input, in order (frames of a clip). Outside a
    team it is the module itself.
    """

    def __init__(self, drawn: nn.Module) -> None:
        super().__init__()
        self.drawn = drawn

    def forward(self, x: Tensor) -> Tensor:
        """The input with this share's part of the mask; in eval mode whatever the module does."""
        share = _SHARE.get()
        if share is None or not self.training:
            return cast("Tensor", self.drawn(x))
        each = len(x) // (share.stop - share.start)
        mask: Tensor = self.drawn(x.new_ones(share.whole * each, *x.shape[1:]))
        return x * mask[share.start * each : share.stop * each]


class JointNorm(_BatchNorm):
    """Batch normalisation by the statistics of the parts of all workers; in eval mode as ever."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) -> the same, normalised per channel over the whole batch."""
        if not self.training:
            return super().forward(input)
        others = [0, *range(2, input.ndim)]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        # Sums of squares lose no digits when they are of what is near zero, by a guess of the mean
        # that all workers have, and are made in float64.
        guess = torch.zeros(1) if self.running_mean is None else self.running_mean.clone()
        apart = input - guess.to(input).view(shape)
        each = [one.sum(others, dtype=torch.float64) for one in (apart, apart.square())]
        rows = each[0].new_tensor([input.numel() / input.shape[1]])
        total: Tensor = _Sum.apply(torch.cat((*each, rows)))
        count = total[-1]
        shift, square = (total[:-1] / count).chunk(2)
        variance = (square - shift.square()).clamp_min(0).to(input)
        shift = shift.to(input)
        self._follow(guess, shift.detach(), variance.detach(), float(count.detach()))
        normal = (apart - shift.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if not self.affine:
            return normal
        return normal * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _follow(self, guess: Tensor, shift: Tensor, variance: Tensor, count: float) -> None:
        """Moves the statistics that eval mode uses, as torch's own batch normalisation does."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        seen = float(self.num_batches_tracked)
        share = 1 / seen if self.momentum is None else self.momentum
        self.running_mean.lerp_(guess + shift, share)
        self.running_var.lerp_(variance * count / max(1.0, count - 1), share)


class _Sum(torch.autograd.Function):
    """The sum over all workers, and of all their gradients."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        del ctx
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        total = gradient.clone()
        dist.all_reduce(total)
        return total


MASKS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, BandMask)


@contextmanager
def joined_modules(network: nn.Module) -> Iterator[None]:
    """While the block runs, the network's norms and masks look at the whole batch.

    They keep their tensors and the names of these.
    """
    own = {
        name: module
        for name, module in network.named_modules()
        if name and isinstance(module, (_BatchNorm, *MASKS))
    }
    for name, module in own.items():
        joint = _jointly(module) if isinstance(module, _BatchNorm) else WholeMask(module)
        network.set_submodule(name, joint.train(module.training))
    try:
        yield
    finally:
        for name, module in own.items():
            network.set_submodule(name, module.train(network.training))


def _jointly(norm: _BatchNorm) -> JointNorm:
    """A joint norm with the tensors of this one."""
    joint = JointNorm(norm.num_features, norm.eps, norm.momentum, norm.affine)
    joint.weight, joint.bias = norm.weight, norm.bias
    joint.running_mean, joint.running_var = norm.running_mean, norm.running_var
    joint.num_batches_tracked = norm.num_batches_tracked
    return joint
