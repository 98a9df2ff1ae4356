from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.card import CheckpointError
from pipeline.lane import Lane
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


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = networks.sound_lane(tmp_path).weights
    config = networks.action_lane(tmp_path).model_copy(update={"weights": weights})
    with pytest.raises(CheckpointError, match="needs an action one"):
        config.build("cpu")
