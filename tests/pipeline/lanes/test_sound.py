from pathlib import Path

import numpy as np
import pytest

from models.card import CheckpointError
from pipeline.lane import Lane
from pipeline.predict import PoolMember
from pipeline.records import Event, Prediction, Window
from pipeline.testing import scripted_sound
from tests import networks

RATE = 8000


def noise(seed: int, seconds: float = 3.0) -> np.ndarray:
    loud = np.random.default_rng(seed).uniform(-1, 1, int(RATE * seconds)).astype(np.float32)
    levels = np.array([0.05, 0.9, 0.3], np.float32)
    return loud * np.repeat(np.resize(levels, loud.size // 800), 800)


def windows(lane: Lane, samples: np.ndarray, sizes: list[int], stream: str = "a") -> list[Window]:
    windower = lane.make_windower(stream)
    found = [w for chunk in scripted_sound(samples, RATE, sizes) for w in windower.push(chunk)]
    return found + list(windower.flush())


def scores(member: PoolMember, heard: list[Window]) -> np.ndarray:
    answers = member.predict("sound", heard).answers
    rows = [a.scores for a in answers if isinstance(a, Prediction) and a.scores is not None]
    assert len(rows) == len(heard)
    return np.concatenate(rows)


def events(lane: Lane, samples: np.ndarray) -> list[Event]:
    aggregator = lane.make_aggregator("a")
    answers = PoolMember([lane], 1).predict("sound", windows(lane, samples, [])).answers
    found = [event for answer in answers for event in aggregator.push(answer)]
    return found + list(aggregator.flush())


def test_scores_do_not_depend_on_chunks_batches_or_other_streams(tmp_path: Path) -> None:
    lane = networks.sound_lane(tmp_path).build("cpu")
    one, other = noise(1), noise(2)
    alone = scores(PoolMember([lane], 1), windows(lane, one, []))
    assert alone.shape == (60, 3)
    assert np.allclose(alone.sum(axis=1), 1, atol=1e-5)
    member = PoolMember([lane], 1)
    mine, theirs = windows(lane, one, [100, 5000, 1]), windows(lane, other, [], "b")
    shared = [scores(member, [a, b])[:10] for a, b in zip(mine, theirs, strict=True)]
    assert np.array_equal(np.concatenate(shared), alone)


def test_what_is_heard_later_alters_nothing_before(tmp_path: Path) -> None:
    lane = networks.sound_lane(tmp_path).build("cpu")
    samples = noise(1)
    changed = samples.copy()
    changed[2 * RATE :] = 0
    before, after = events(lane, samples), events(lane, changed)
    assert any(event.span.end < 2 for event in before)
    assert [e for e in before if e.span.end < 2] == [e for e in after if e.span.end < 2]


def test_events_carry_the_network_they_are_from(tmp_path: Path) -> None:
    lane = networks.sound_lane(tmp_path).build("cpu")
    found = events(lane, noise(1))
    assert {event.model for event in found} == {"noise"}
    assert {event.model_sha256 for event in found} == {lane.card.sha256}
    assert "background" not in {event.label for event in found}


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = networks.action_lane(tmp_path).weights
    config = networks.sound_lane(tmp_path).model_copy(update={"weights": weights})
    with pytest.raises(CheckpointError, match="the sound lane needs a wavenet"):
        config.build("cpu")
