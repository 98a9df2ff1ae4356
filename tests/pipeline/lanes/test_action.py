from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from models.card import Card, CheckpointError
from models.checkpoint import save
from models.clip import build_clip
from pipeline.lane import Lane
from pipeline.lanes.action import ActionLane
from pipeline.predict import PoolMember
from pipeline.records import Prediction, Window
from pipeline.testing import scripted_frames
from tests import networks


def windows(lane: Lane, seed: int, stream: str, count: int = 20) -> list[Window]:
    blocks = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 3), np.uint8)
    pictures = blocks.repeat(12, axis=1).repeat(16, axis=2)
    windower = lane.make_windower(stream)
    frames = scripted_frames(list(pictures), Fraction(10))
    return [window for frame in frames for window in windower.push(frame)]


def scores(member: PoolMember, seen: list[Window], batch: int) -> np.ndarray:
    rows = []
    for first in range(0, len(seen), batch):
        answers = member.predict("action", seen[first : first + batch]).answers
        rows += [a.scores for a in answers if isinstance(a, Prediction) and a.scores is not None]
    assert len(rows) == len(seen)
    return np.concatenate(rows)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_scores_do_not_depend_on_the_batch(tmp_path: Path, batch: int) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    seen = windows(lane, 1, "a")
    expected = scores(PoolMember([lane], 1), seen, 4)
    assert np.allclose(scores(PoolMember([lane], 1), seen, batch), expected, atol=1e-5)
    assert expected.std(axis=0).max() > 0.05


def test_streams_that_share_batches_keep_their_own_state(tmp_path: Path) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    one, other = windows(lane, 1, "a"), windows(lane, 2, "b")
    alone = scores(PoolMember([lane], 1), one, 4)
    mixed = [window for pair in zip(one, other, strict=True) for window in pair]
    assert np.allclose(scores(PoolMember([lane], 1), mixed, 5)[::2], alone, atol=1e-5)


def test_the_first_window_after_a_gap_starts_from_nothing(tmp_path: Path) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    member, seen = PoolMember([lane], 1), windows(lane, 1, "a")
    first = scores(member, seen, 4)
    assert seen[0].mark.fresh
    assert np.allclose(scores(member, seen, 4), first, atol=1e-5)
    assert not np.allclose(scores(member, seen[1:], 4), first[1:], atol=1e-5)


CLIP_CNN = {"name": "c3d_small", "width": 32, "height": 24, "frames": 4, "channels": [8, 8]}
WAYS = {
    "frame_vote": (networks.ACTION["cnn"], {"name": "vote", "window": 4}),
    "cnn_rnn": (networks.ACTION["cnn"], {"name": "lstm", "hidden": 8}),
    "features_mlp": (networks.ACTION["cnn"], {"name": "mlp", "window": 4}),
    "conv3d": (CLIP_CNN, {"name": "latest"}),
    "conv3d_features_rnn": (CLIP_CNN, {"name": "gru", "hidden": 8}),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_lane_takes_every_way_to_label_a_clip(tmp_path: Path, way: str) -> None:
    cnn, head = WAYS[way]
    architecture = {"way": way, "cnn": cnn, "head": head, "classes": 3}
    torch.manual_seed(0)
    network = build_clip(architecture)
    sizes = {"rate_hz": 10.0, "width": 32, "height": 24}
    card = Card("any-way", "action", networks.LABELS, architecture, sizes)
    save(tmp_path / "any-way.safetensors", network.state_dict(), card)
    weights = str(tmp_path / "any-way.safetensors")
    lane = ActionLane(kind="action", weights=weights).build("cpu")
    one, other = windows(lane, 1, "a", 10), windows(lane, 2, "b", 10)
    alone = scores(PoolMember([lane], 1), one, 4)
    mixed = [window for pair in zip(one, other, strict=True) for window in pair]
    assert np.allclose(scores(PoolMember([lane], 1), mixed, 5)[::2], alone, atol=1e-5)
    assert np.allclose(alone.sum(1), 1, atol=1e-5)
    assert alone.std(axis=0).max() > 1e-4


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = networks.sound_lane(tmp_path).weights
    config = networks.action_lane(tmp_path).model_copy(update={"weights": weights})
    with pytest.raises(CheckpointError, match="needs an action one"):
        config.build("cpu")
