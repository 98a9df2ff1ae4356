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
from pipeline.lanes.gate import MotionGateConfig
from pipeline.predict import PoolMember
from pipeline.records import Feature, Prediction, Window
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


def test_what_is_seen_in_pieces_and_followed_in_order_is_what_one_pass_says(
    tmp_path: Path,
) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    seen = windows(lane, 1, "a")
    expected = PoolMember([lane], 1).predict("action", seen).answers
    pieces = [PoolMember([lane], 1).see("action", seen[first : first + 7]) for first in (14, 7, 0)]
    member = PoolMember([lane], 1)
    features = [feature for piece in reversed(pieces) for feature in piece]
    followed = [answer for feature in features for answer in member.follow("action", [feature])]
    assert all(isinstance(feature, Feature) for feature in features)
    for one, other in zip(followed, expected, strict=True):
        assert isinstance(one, Prediction) and isinstance(other, Prediction)
        assert one.mark == other.mark and np.array_equal(one.scores, other.scores)  # type: ignore[arg-type]


def test_only_a_lane_whose_heavy_part_remembers_nothing_is_divisible(tmp_path: Path) -> None:
    plain = networks.action_lane(tmp_path)
    assert plain.build("cpu").divisible
    assert not plain.model_copy(update={"gate": MotionGateConfig()}).build("cpu").divisible
    weights = save_way(tmp_path, "conv3d")
    assert not ActionLane(kind="action", weights=str(weights)).build("cpu").divisible


CLIP_CNN = {"name": "c3d_small", "width": 32, "height": 24, "frames": 4, "channels": [8, 8]}
WAYS = {
    "frame_vote": (networks.ACTION["cnn"], {"name": "vote", "window": 4}),
    "cnn_rnn": (networks.ACTION["cnn"], {"name": "lstm", "hidden": 8}),
    "features_mlp": (networks.ACTION["cnn"], {"name": "mlp", "window": 4}),
    "conv3d": (CLIP_CNN, {"name": "latest"}),
    "conv3d_features_rnn": (CLIP_CNN, {"name": "gru", "hidden": 8}),
}


def save_way(folder: Path, way: str) -> Path:
    cnn, head = WAYS[way]
    architecture = {"way": way, "cnn": cnn, "head": head, "classes": 3}
    torch.manual_seed(0)
    network = build_clip(architecture)
    sizes = {"rate_hz": 10.0, "width": 32, "height": 24}
    card = Card("any-way", "action", networks.LABELS, architecture, sizes)
    save(folder / "any-way.safetensors", network.state_dict(), card)
    return folder / "any-way.safetensors"


@pytest.mark.parametrize("way", WAYS)
def test_the_lane_takes_every_way_to_label_a_clip(tmp_path: Path, way: str) -> None:
    lane = ActionLane(kind="action", weights=str(save_way(tmp_path, way))).build("cpu")
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
