"""The heads for clips: the LSTM streams as it reads whole, the last feature stands alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.clip_heads import FeatureLSTM, Latest
from models.sequence import SequenceHead

GRID = (2, 3, 4)


def stream(head: SequenceHead, features: Tensor) -> Tensor:
    state = head.initial_state(len(features))
    rows = []
    for feature in features.unbind(1):
        logits, state = head.step(feature, state)
        rows.append(logits)
    return torch.stack(rows, 1)


@pytest.mark.parametrize("grid", [None, GRID])
@settings(max_examples=8, deadline=None)
@given(batch=st.integers(1, 3), steps=st.integers(1, 7), seed=st.integers(0, 99))
def test_an_lstm_streams_as_it_reads_whole(
    grid: tuple[int, int, int] | None, batch: int, steps: int, seed: int
) -> None:
    torch.manual_seed(seed)
    head = FeatureLSTM(24, 3, hidden=8, grid=grid).eval()
    features = torch.randn(batch, steps, 24)
    with torch.inference_mode():
        whole = head(features)
        alone = torch.cat([stream(head, one[None]) for one in features])
    assert whole.shape == (batch, steps, 3)
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=0)


def test_an_lstm_remembers_and_all_of_it_learns() -> None:
    torch.manual_seed(0)
    head = FeatureLSTM(24, 3, hidden=8)
    features = torch.randn(1, 5, 24)
    changed = features.clone()
    changed[:, 0] += 1
    apart = head(features)[:, -1] - head(changed)[:, -1]
    assert apart.abs().max() > 1e-5
    head(features).square().sum().backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_the_last_feature_alone_decides() -> None:
    torch.manual_seed(0)
    head = Latest(24, 3)
    features = torch.randn(2, 5, 24)
    assert head.initial_state(2) == ()
    assert torch.equal(head(features)[:, -1], head(features[:, -1:])[:, 0])
    with pytest.raises(ValueError, match=r"F=24 is wanted, got \(2, 23\)"):
        head.step(features[:, 0, 1:], ())
