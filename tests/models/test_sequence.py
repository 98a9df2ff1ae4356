"""The sequence heads: streaming equals offline, nothing looks ahead, order matters or does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.sequence import HEADS, FeatureVote, SequenceHead, join_states, split_state

GRID = (2, 6, 8)
FEATURES = 96
CASES: list[tuple[str, dict[str, Any]]] = [
    ("gru", {"hidden": 8}),
    ("gru", {"hidden": 8, "grid": GRID}),
    ("trace_gru", {"hidden": 8, "grid": GRID}),
    ("mlp", {"hidden": 8, "window": 4}),
    ("mlp", {"hidden": 8, "window": 4, "grid": GRID}),
    ("vote", {"hidden": 8, "window": 4}),
    ("vote", {"hidden": 8, "window": 4, "majority": True}),
]
each_head = pytest.mark.parametrize(("name", "options"), CASES)


def make(name: str, options: dict[str, Any]) -> SequenceHead:
    torch.manual_seed(1)
    return HEADS[name](FEATURES, 3, **options).eval()


def stream(head: SequenceHead, features: Tensor) -> Tensor:
    state = head.initial_state(features.shape[0])
    rows = []
    for feature in features.unbind(1):
        logits, state = head.step(feature, state)
        rows.append(logits)
    return torch.stack(rows, 1)


@each_head
@settings(max_examples=10, deadline=None)
@given(batch=st.integers(1, 3), steps=st.integers(1, 9), seed=st.integers(0, 1000))
def test_streaming_equals_offline(
    name: str, options: dict[str, Any], batch: int, steps: int, seed: int
) -> None:
    head = make(name, options)
    features = torch.randn(batch, steps, FEATURES, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        offline = head(features)
        alone = torch.cat([stream(head, one[None]) for one in features])
    assert offline.shape == (batch, steps, 3)
    torch.testing.assert_close(offline, alone, atol=1e-5, rtol=0)


@each_head
@settings(max_examples=10, deadline=None)
@given(at=st.integers(0, 7))
def test_a_change_alters_nothing_before_it(name: str, options: dict[str, Any], at: int) -> None:
    head = make(name, options)
    features = torch.randn(1, 8, FEATURES, generator=torch.Generator().manual_seed(at))
    changed = features.clone()
    changed[:, at:] += 1
    with torch.inference_mode():
        before, after = head(features), head(changed)
    torch.testing.assert_close(before[:, :at], after[:, :at], atol=1e-6, rtol=0)


@each_head
def test_states_of_streams_can_be_joined_and_split(name: str, options: dict[str, Any]) -> None:
    head = make(name, options)
    one, feature = torch.randn(2, 1, FEATURES, generator=torch.Generator().manual_seed(4))
    two = -5 * one
    with torch.inference_mode():
        _, first = head.step(one, head.initial_state(1))
        _, second = head.step(two, head.initial_state(1))
        both = join_states([first, second])
        together, _ = head.step(torch.cat([feature, feature]), both)
        alone = [head.step(feature, state)[0] for state in split_state(both)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-6, rtol=0)


@each_head
def test_a_feature_of_another_size_is_refused(name: str, options: dict[str, Any]) -> None:
    head = make(name, options)
    with pytest.raises(ValueError, match=r"F=96 is wanted, got \(1, 95\)"):
        head.step(torch.zeros(1, 95), head.initial_state(1))
    with pytest.raises(ValueError, match="B, T, F"):
        head(torch.zeros(1, 96))


def test_only_the_vote_is_blind_to_order() -> None:
    features = torch.randn(1, 4, FEATURES, generator=torch.Generator().manual_seed(3))
    for name, options in CASES:
        head = make(name, {**options, "window": 4} if "window" in options else options)
        with torch.inference_mode():
            apart = (head(features)[:, -1] - head(features.flip(1))[:, -1]).abs().max()
        assert (apart < 1e-6) == (name == "vote"), name


def test_a_majority_vote_follows_the_most_frequent_label() -> None:
    head = FeatureVote(2, 2, hidden=2, window=3, majority=True)
    linear = torch.nn.Linear(2, 2, bias=False)
    torch.nn.init.eye_(linear.weight)
    head.single = torch.nn.Sequential(linear)
    features = torch.tensor([[[0.1, 0.0], [0.1, 0.0], [0.0, 9.0]]])
    with torch.inference_mode():
        assert head(features).argmax(-1).tolist() == [[0, 0, 0]]
        head.majority = False
        assert head(features).argmax(-1).tolist() == [[0, 0, 1]]


def test_a_grid_must_have_the_size_of_the_feature() -> None:
    with pytest.raises(ValueError, match="96 numbers"):
        HEADS["gru"](FEATURES, 3, grid=(2, 6, 9))
