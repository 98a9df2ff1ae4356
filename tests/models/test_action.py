"""The network of the action lane: read as it was saved, and only from a card that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.action import build, load_action
from models.card import Card, CheckpointError
from models.checkpoint import save

ARCHITECTURE = {
    "cnn": {"name": "tiny", "width": 64, "height": 48, "grid_channels": 2},
    "head": {"name": "trace_gru", "hidden": 8, "grid": (2, 6, 8)},
    "classes": 3,
}


def test_a_saved_network_streams_as_the_one_that_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = build(ARCHITECTURE).eval()
    card = Card("toy", "action", ("a", "b", "c"), ARCHITECTURE, {"width": 64, "height": 48})
    save(tmp_path / "toy.safetensors", network.state_dict(), card)
    read, again = load_action(tmp_path / "toy.safetensors")
    assert read.labels == ("a", "b", "c")
    frames = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3), dtype=np.uint8)
    states = network.initial_state(2), again.initial_state(2)
    for _ in range(3):
        wanted, one = network.step(network.features(frames), states[0])
        found, two = again.step(again.features(torch.from_numpy(frames)), states[1])
        states = one, two
    assert torch.equal(wanted, found)


def test_frames_must_be_bytes_of_the_right_shape() -> None:
    network = build(ARCHITECTURE)
    with pytest.raises(ValueError, match="uint8 is wanted"):
        network.features(np.zeros((1, 48, 64, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="takes"):
        network.features(np.zeros((1, 24, 64, 3), dtype=np.uint8))


def test_another_kind_of_checkpoint_is_refused(tmp_path: Path) -> None:
    card = Card("toy", "wavenet", ("a",), {}, {})
    save(tmp_path / "toy.safetensors", {"w": torch.zeros(1)}, card)
    with pytest.raises(CheckpointError, match="'wavenet'"):
        load_action(tmp_path / "toy.safetensors")
    with pytest.raises(CheckpointError, match="trace_gru"):
        build({**ARCHITECTURE, "head": {"name": "transformer"}})
