"""Convolutions as torch is fastest with them on a CPU: channels last, without norms behind them."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.ops import FrozenBatchNorm2d

from models.runtime.base import Part

OF_TORCH = ("eager", "compiled")
"""The runtimes that take a module as it is; those that read a graph lay it out by themselves."""


def laid_out(part: Part) -> Part:
    """The part with a copy of its module that answers alike, to rounding, in less time."""
    module = copy.deepcopy(part.module).eval().requires_grad_(False)
    return replace(part, module=without_norms(module).to(memory_format=torch.channels_last))


def without_norms(module: nn.Module) -> nn.Module:
    """The module itself, in eval mode, with norms of stored statistics inside their convolutions.

    A norm belongs to the convolution that its parent names just before it, as in torchvision.
    """
    for parent in list(module.modules()):
        for (name, conv), (after, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d | nn.BatchNorm2d):
                parent.register_module(name, _fused(conv, norm))
                parent.register_module(after, nn.Identity())
    return module


def _fused(conv: nn.Conv2d, norm: FrozenBatchNorm2d | nn.BatchNorm2d) -> nn.Conv2d:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    return fused.requires_grad_(False)
