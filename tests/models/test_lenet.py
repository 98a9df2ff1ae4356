"""LeNet-5 layer by layer, against the numbers of the paper."""

from __future__ import annotations

import math

import torch
from torch import nn

from models.lenet import CONNECTIONS, LeNet5, LeNet51998, PartialConv, ScaledTanh, Subsampling


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_each_layer_has_the_papers_number_of_parameters() -> None:
    network = LeNet51998()
    counts = {name: parameters(layer) for name, layer in network.named_children()}
    assert counts == {
        "c1": 156,
        "s2": 12,
        "c3": 1516,
        "s4": 32,
        "c5": 48120,
        "f6": 10164,
        "squash": 0,
        "output": 850,
    }
    assert parameters(network) - counts["output"] == 60_000


def test_the_modern_form_differs_in_c3_and_learns_no_subsampling() -> None:
    counts = {name: parameters(layer) for name, layer in LeNet5().named_children()}
    assert counts == {"c1": 156, "c3": 2416, "c5": 48120, "f6": 10164, "output": 850}


def test_the_table_of_connections_has_the_papers_shape() -> None:
    assert [len(seen) for seen in CONNECTIONS] == [3] * 6 + [4] * 9 + [6]
    assert len({frozenset(seen) for seen in CONNECTIONS}) == 16
    # Every map of S2 feeds ten maps of C3.
    assert [sum(one in seen for seen in CONNECTIONS) for one in range(6)] == [10] * 6


def test_a_map_of_c3_hears_its_connections_alone() -> None:
    torch.manual_seed(0)
    layer = PartialConv()
    silent = layer(torch.zeros(1, 6, 14, 14))
    for one in range(6):
        maps = torch.zeros(1, 6, 14, 14)
        maps[:, one] = 1
        changed = (layer(maps) - silent).abs().amax((0, 2, 3)) > 1e-6
        assert changed.tolist() == [one in seen for seen in CONNECTIONS]


def test_the_partial_convolution_learns_by_every_kernel() -> None:
    layer = PartialConv()
    layer(torch.rand(2, 6, 14, 14)).square().sum().backward()
    assert layer.weight.grad is not None
    assert (layer.weight.grad.abs().sum((1, 2)) > 0).all()


def test_subsampling_starts_as_the_mean() -> None:
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    layer = Subsampling(1)
    assert layer(maps).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    layer.coefficient.data.fill_(1)
    layer.bias.data.fill_(-1)
    assert layer(maps).flatten().tolist() == [9, 17, 41, 49]


def test_the_squashing_keeps_one_and_is_bounded() -> None:
    values = ScaledTanh()(torch.tensor([1.0, -1.0, 50.0]))
    assert all(
        math.isclose(found, wanted, abs_tol=1e-3)
        for found, wanted in zip(values.tolist(), (1, -1, 1.7159), strict=True)
    )
