"""The ways to label a clip: streams say what clips say, nothing is seen twice, order counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.action import ActionNetwork
from models.card import Card, CheckpointError
from models.checkpoint import save
from models.clip import WAYS, ClipNetwork, build_clip, load_labeller, stored_features
from models.features import FeatureStore
from models.sequence import join_states, split_state

FRAME = {"name": "tiny", "width": 16, "height": 16, "channels": [8, 8, 8], "grid_channels": 2}
CLIP = {"name": "c3d_small", "width": 16, "height": 16, "channels": [8, 8], "grid": 1}
SNIPPET = 3
HEADS: dict[str, dict[str, Any]] = {
    "frame_vote": {"name": "vote", "window": 6},
    "cnn_rnn": {"name": "lstm", "hidden": 8},
    "conv3d": {"name": "latest"},
    "features_rnn": {"name": "gru", "hidden": 8},
    "features_mlp": {"name": "mlp", "hidden": 8, "window": 6},
    "conv3d_features_rnn": {"name": "gru", "hidden": 8},
    "conv3d_features_mlp": {"name": "mlp", "hidden": 8, "window": 2},
}
FRAMES = 6
each_way = pytest.mark.parametrize("way", sorted(WAYS))


def architecture(way: str) -> dict[str, Any]:
    snippet = FRAMES if way == "conv3d" else SNIPPET
    sees = FRAME if WAYS[way].sees == "frame" else {**CLIP, "frames": snippet}
    return {"way": way, "cnn": sees, "head": HEADS[way], "classes": 3}


def make(way: str) -> ClipNetwork:
    torch.manual_seed(3)
    return build_clip(architecture(way)).eval()


def pictures(count: int, seed: int, frames: int = FRAMES) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, frames, 16, 16, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def clips(frames: Tensor) -> Tensor:
    return frames.permute(0, 1, 4, 2, 3).float() / 255


def stream(network: ClipNetwork, frames: Tensor) -> Tensor:
    """(B, T, classes): what a stream of these pictures (B, T, H, W, 3) says after each."""
    state = network.initial_state(len(frames))
    rows = []
    for one in frames.unbind(1):
        logits, state = network.step(network.features(one), state)
        rows.append(logits)
    return torch.stack(rows, 1)


@each_way
@settings(max_examples=5, deadline=None)
@given(count=st.integers(1, 3), seed=st.integers(0, 99))
def test_after_the_last_frame_a_stream_says_what_the_whole_clip_says(
    way: str, count: int, seed: int
) -> None:
    network, frames = make(way), pictures(count, seed)
    with torch.inference_mode():
        whole = network(clips(frames))
    assert whole.shape == (count, 3)
    torch.testing.assert_close(stream(network, frames)[:, -1], whole, atol=1e-5, rtol=0)


@each_way
def test_no_frame_is_seen_twice(way: str) -> None:
    network = make(way)
    seen: list[int] = []

    def note(_module: object, inputs: tuple[Tensor], _output: object) -> None:
        each = inputs[0].shape[1] if WAYS[way].sees == "snippet" else 1
        seen.append(len(inputs[0]) * each)

    network.body.register_forward_hook(note)
    stream(network, pictures(2, 0, 2 * FRAMES))
    assert sum(seen) == 2 * 2 * FRAMES


@each_way
@settings(max_examples=5, deadline=None)
@given(at=st.integers(0, FRAMES - 1))
def test_a_change_alters_nothing_before_it(way: str, at: int) -> None:
    network, frames = make(way), pictures(1, 5)
    changed = frames.clone()
    changed[:, at:] = 255 - changed[:, at:]
    before, after = stream(network, frames), stream(network, changed)
    torch.testing.assert_close(before[:, :at], after[:, :at], atol=1e-6, rtol=0)
    assert (before[:, -1] - after[:, -1]).abs().max() > 1e-6


def test_the_vote_alone_is_blind_to_order() -> None:
    frames = pictures(4, 1)
    for way in WAYS:
        network = make(way)
        with torch.inference_mode():
            forward, backward = network(clips(frames)), network(clips(frames.flip(1)))
        assert ((forward - backward).abs().max() < 1e-6) == (way == "frame_vote"), way


@each_way
def test_streams_at_different_places_of_a_snippet_share_a_step(way: str) -> None:
    network = make(way)
    one, other = pictures(1, 7, 8), pictures(1, 8, 8)
    alone = stream(network, one)[:, 4:], stream(network, other)[:, :4]
    first = network.initial_state(1)
    for frame in one[:, :4].unbind(1):
        _, first = network.step(network.features(frame), first)
    states = join_states([first, network.initial_state(1)])
    rows = []
    for frame in torch.cat([one[:, 4:], other[:, :4]]).unbind(1):
        logits, states = network.step(network.features(frame), states)
        rows.append(logits)
        states = join_states(split_state(states))
    together = torch.stack(rows, 1)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)


def test_a_snippets_answer_stands_until_the_next_is_full() -> None:
    rows = stream(make("conv3d_features_rnn"), pictures(1, 2, 8))[0]
    assert rows[: SNIPPET - 1].abs().max() == 0
    for first in (SNIPPET - 1, 2 * SNIPPET - 1):
        assert torch.equal(rows[first], rows[first + 1])
    assert not torch.equal(rows[SNIPPET - 1], rows[2 * SNIPPET - 1])


def test_learning_as_one_reaches_the_cnn() -> None:
    network = make("cnn_rnn").train()
    frames, labels = pictures(2, 0), torch.tensor([0, 2])
    network.loss(network.encode(clips(frames)), labels).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_vote_learns_from_each_frame_alone() -> None:
    network = make("frame_vote")
    frames, labels = pictures(2, 0), torch.tensor([0, 2])
    features = network.encode(clips(frames))
    expected = torch.stack(
        [
            network.loss(features[row : row + 1, n : n + 1], labels[row : row + 1])
            for row in range(2)
            for n in range(FRAMES)
        ]
    ).mean()
    torch.testing.assert_close(network.loss(features, labels), expected)


def test_features_are_stored_once_for_all_heads(tmp_path: Path) -> None:
    rnn, mlp = make("features_rnn"), make("features_mlp")
    mlp.body.load_state_dict(rnn.body.state_dict())
    frames = pictures(5, 4).numpy()
    file = tmp_path / "clips.bin"
    file.write_bytes(frames.tobytes())
    store = FeatureStore(tmp_path / "features")
    first = stored_features(rnn, store, file, list(frames), batch=2)
    with torch.inference_mode():
        expected = rnn.encode(clips(torch.from_numpy(frames)))
    assert first.shape == (5, FRAMES, rnn.body.feature_size)
    np.testing.assert_allclose(first, expected.numpy(), atol=1e-5)
    again = stored_features(mlp, store, file, iter([]))  # there is nothing to compute from
    assert np.array_equal(first, again)
    snippets = stored_features(make("conv3d_features_mlp"), store, file, list(frames))
    assert snippets.shape[:2] == (5, FRAMES // SNIPPET)


@each_way
def test_a_saved_way_streams_as_the_one_that_was_saved(way: str, tmp_path: Path) -> None:
    network, frames = make(way), pictures(2, 9)
    card = Card("toy", "action", ("a", "b", "c"), architecture(way), {"width": 16, "height": 16})
    save(tmp_path / "toy.safetensors", network.state_dict(), card)
    read, again = load_labeller(tmp_path / "toy.safetensors")
    assert read.architecture["way"] == way
    assert isinstance(again, ClipNetwork)
    assert torch.equal(stream(again, frames), stream(network, frames))


def test_an_action_network_without_a_way_loads_as_before(tmp_path: Path) -> None:
    whole = {"cnn": FRAME, "head": {"name": "gru", "hidden": 8}, "classes": 3}
    torch.manual_seed(0)
    network = make("features_rnn")
    card = Card("toy", "action", ("a", "b", "c"), whole, {"width": 16, "height": 16})
    save(tmp_path / "toy.safetensors", network.state_dict(), card)
    _, again = load_labeller(tmp_path / "toy.safetensors")
    assert isinstance(again, ActionNetwork)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="frame_vote, cnn_rnn"):
        build_clip({**architecture("conv3d"), "way": "optical_flow"})
    with pytest.raises(CheckpointError, match="frame_vote is read by vote, not by 'gru'"):
        build_clip({**architecture("frame_vote"), "head": {"name": "gru"}})
    with pytest.raises(ValueError, match="multiple of 3 frames, not of 4"):
        make("conv3d_features_rnn")(torch.rand(1, 4, 3, 16, 16))
    with pytest.raises(ValueError, match="uint8 is wanted"):
        make("conv3d").features(np.zeros((1, 16, 16, 3), np.float32))
    save(tmp_path / "toy.safetensors", {"w": torch.zeros(1)}, Card("toy", "wavenet", (), {}, {}))
    with pytest.raises(CheckpointError, match="'wavenet'"):
        load_labeller(tmp_path / "toy.safetensors")
