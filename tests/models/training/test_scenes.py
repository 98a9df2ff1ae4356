"""Made-up scenes: known motion, real people, and order is not told by single frames."""

from __future__ import annotations

import numpy as np
import pytest

from models.training.motion import LABELS, UNCLEAR
from models.training.scenes import SceneMaker
from models.training.stage import Stage, make_stage
from tests.models.training import toy_street as toy


@pytest.fixture(scope="module")
def stage() -> Stage:
    return make_stage(toy.frames(), toy.coco(), toy.background())


def maker(stage: Stage, seed: int = 0) -> SceneMaker:
    return SceneMaker(stage, width=96, height=72, rate_hz=5, seed=seed)


def test_the_same_seed_makes_the_same_scene(stage: Stage) -> None:
    one, two = maker(stage).scene(6), maker(stage).scene(6)
    assert one.pictures.shape == (6, 72, 96, 3)
    np.testing.assert_array_equal(one.pictures, two.pictures)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert not np.array_equal(one.pictures, maker(stage, 1).scene(6).pictures)


@pytest.mark.parametrize(
    ("script", "labels"),
    [
        ("empty", {"empty"}),
        ("stand", {"standing", "empty"}),
        ("left", {"walking_left", "walking_right"}),
        ("right", {"walking_left", "walking_right"}),
    ],
)
def test_a_script_gives_its_label_forwards_or_backwards(
    stage: Stage, script: str, labels: set[str]
) -> None:
    scenes = maker(stage)
    told = [label for _ in range(20) for label in scenes.motion(16, script).labels]
    clear = [LABELS[label] for label in told if label != UNCLEAR]
    share = np.mean([label in labels for label in clear])
    assert share > 0.9


def test_half_of_the_scenes_are_played_backwards(stage: Stage) -> None:
    scenes = maker(stage)
    last = [scenes.motion(16, "left").labels[-1] for _ in range(60)]
    left = last.count(LABELS.index("walking_left"))
    right = last.count(LABELS.index("walking_right"))
    assert 0.25 < left / (left + right) < 0.75


def test_every_label_occurs(stage: Stage) -> None:
    scenes = maker(stage)
    told = {int(label) for _ in range(150) for label in scenes.motion(20).labels}
    assert told == {UNCLEAR, *range(len(LABELS))}


def test_people_are_drawn_where_the_scene_says(stage: Stage) -> None:
    scenes = maker(stage, 3)
    found = []
    for _ in range(10):
        scene = scenes.scene(2, "stand")
        empty = scenes.scene(2, "empty").pictures[0].astype(int).mean()
        for x, y in scene.feet[0][~np.isnan(scene.feet[0, :, 0])]:
            if 0.1 < x < 0.9 and 0.3 < y < 0.95:
                legs = scene.pictures[0, int(y * 72) - 4, int(x * 96)].astype(int).mean()
                found.append(legs < empty - 40)
    assert len(found) > 10
    assert np.mean(found) > 0.9


def test_a_drawn_scene_tells_the_same_as_its_motion(stage: Stage) -> None:
    scene = maker(stage, 5).scene(12, "both")
    assert scene.labels.shape == (12,)
    assert scene.feet.shape[:2] == scene.heights.shape
    known = ~np.isnan(scene.heights)
    assert (scene.heights[known] > 0.05).all()
