"""Features are stored once, whole, and never taken for those of another file or network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.features import FeatureKey, FeatureStore, Rows, feature_key, network_sha256

KEY = FeatureKey("a" * 64, "b" * 64, "{}")


def never() -> Iterator[Rows]:
    pytest.fail("stored features were computed again")
    yield np.zeros((1, 1), np.float32)


@settings(max_examples=20, deadline=None)
@given(
    parts=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    shape=st.sampled_from([(3,), (2, 4), ()]),
)
def test_what_comes_in_parts_is_one_array_again(
    parts: list[int], shape: tuple[int, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    rng = np.random.default_rng(0)
    rows = [rng.random((count, *shape), np.float32) for count in parts]
    first = store.get(KEY, lambda: iter(rows))
    again = store.get(KEY, never)
    assert np.array_equal(first, np.concatenate(rows))
    assert np.array_equal(again, first)


def test_features_are_mapped_and_cannot_be_changed(tmp_path: Path) -> None:
    rows = FeatureStore(tmp_path).get(KEY, lambda: [np.ones((2, 3), np.float32)])
    assert isinstance(rows, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        rows[0, 0] = 2


def test_an_entry_says_what_it_is(tmp_path: Path) -> None:
    FeatureStore(tmp_path).get(KEY, lambda: [np.ones((2, 3), np.float32)])
    told = json.loads((tmp_path / f"{KEY.name}.json").read_text(encoding="utf-8"))
    assert told == {"file": KEY.file, "network": KEY.network, "preprocessing": "{}",
                    "shape": [2, 3]}  # fmt: skip


def test_half_an_entry_is_made_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    rows = np.random.default_rng(1).random((50, 8), np.float32)
    store.get(KEY, lambda: [rows])
    path = tmp_path / f"{KEY.name}.npy"
    path.write_bytes(path.read_bytes()[:500])
    assert np.array_equal(store.get(KEY, lambda: [rows]), rows)


def test_features_that_failed_half_way_leave_no_entry(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)

    def failing() -> Iterator[Rows]:
        yield np.zeros((4, 2), np.float32)
        message = "the file broke"
        raise OSError(message)

    with pytest.raises(OSError, match="broke"):
        store.get(KEY, failing)
    with pytest.raises(ValueError, match="no features"):
        store.get(KEY, lambda: [])
    with pytest.raises(ValueError, match="in one file"):
        store.get(KEY, lambda: [np.zeros((1, 2), np.float32), np.zeros((1, 3), np.float32)])
    assert store.get(KEY, lambda: [np.ones((1, 2), np.float32)]).tolist() == [[1, 1]]


def test_another_file_network_or_preprocessing_is_another_entry(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    torch.manual_seed(0)
    network, changed = nn.Linear(3, 2), nn.Linear(3, 2)
    keys = [
        feature_key(one, network, {"width": 8}),
        feature_key(other, network, {"width": 8}),
        feature_key(one, changed, {"width": 8}),
        feature_key(one, nn.Sequential(network), {"width": 8}),
        feature_key(one, network, {"width": 9}),
    ]
    assert len({key.name for key in keys}) == len(keys)
    copied = nn.Linear(3, 2)
    copied.load_state_dict(network.state_dict())
    assert network_sha256(copied) == network_sha256(network)
