"""The action recipe, end to end on a made stream; a few steps, so only the way is tested."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.action import load_action
from models.training.action import train_action, train_cnn
from models.training.action_data import GRID, Part, drift, imagined, presence, real_pictures
from models.training.action_heads import train_head
from models.training.motion import LABELS
from models.training.stage import make_stage
from tests.models.training import toy_street as toy


@pytest.fixture(scope="module")
def part() -> Part:
    return Part(toy.frames, toy.coco(), toy.background(), range(toy.FRAMES))


@pytest.mark.slow
def test_the_recipe_writes_a_network_that_a_lane_can_load(part: Part, tmp_path: Path) -> None:
    out = tmp_path / "toy.safetensors"
    card = train_action(part, part, out, steps=2, scenes=1, rivals=("vote",), name="toy")
    read, network = load_action(out)
    assert (read.sha256, read.heldout.keys()) == (card.sha256, card.heldout.keys())
    assert card.labels == LABELS
    want = card.preprocessing
    frames = np.zeros((1, want["height"], want["width"], 3), dtype=np.uint8)
    logits, _ = network.step(network.features(frames), network.initial_state(1))
    assert logits.shape == (1, len(LABELS))
    assert set(card.heldout["made_up"]) == {"majority", "trace_gru", "vote"}
    assert set(card.postprocessing) == {"smooth_s", "on", "off", "min_s", "merge_s"}


def test_the_same_seed_gives_the_same_weights(part: Part) -> None:
    stage = make_stage(part.frames(), part.coco, part.background)
    real = real_pictures(part.frames(), part.coco, every=20)
    cnns = [train_cnn(stage, real, steps=2, batch=2, seed=7).state_dict() for _ in range(2)]
    assert all(torch.equal(cnns[0][key], cnns[1][key]) for key in cnns[0])
    lessons = [imagined(stage, 4, seed=0)]
    heads = [train_head("trace_gru", lessons, steps=2, batch=2, seed=7) for _ in range(2)]
    one, two = (head.state_dict() for head in heads)
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_presence_peaks_in_the_cell_of_the_feet() -> None:
    _, high, wide = GRID
    feet = np.array([[[0.5, 0.6], [np.nan, np.nan]]])
    shown = presence(feet, np.array([[0.2, np.nan]]))
    assert shown.shape == (1, *GRID)
    row, column = divmod(int(shown[0, 0].argmax()), wide)
    assert (row, column) in {(int(0.588 * high), wide // 2), (int(0.588 * high), wide // 2 - 1)}
    assert presence(np.zeros((2, 0, 2)), np.zeros((2, 0))).max() == 0


def test_drift_says_how_fast_in_heights_per_second() -> None:
    steps = np.arange(11)
    tall = 0.2  # of the picture's height; the picture is 4:3
    x = 0.3 + steps / 5 * 0.8 * tall * 0.75
    feet = np.stack([x, np.full(11, 0.6)], -1)[:, None]
    shown = drift(feet, np.full((11, 1), tall))
    assert (shown[:5, 2] == 0).all()
    where = shown[10, 2].argmax()
    assert shown[10, 0].flat[where] == pytest.approx(0.8, rel=1e-3)
    assert shown[10, 1].flat[where] == pytest.approx(0, abs=1e-6)


def test_imagined_scenes_have_one_row_for_each_step(part: Part) -> None:
    stage = make_stage(part.frames(), part.coco, part.background)
    lessons = imagined(stage, 3, seed=0)
    assert lessons.features.shape == (3, 30, np.prod(GRID))
    assert lessons.labels.shape == (3, 30)
    again = imagined(stage, 3, seed=0)
    assert torch.equal(lessons.features, again.features)


def test_real_pictures_carry_the_people_of_their_frame(part: Part) -> None:
    seen = real_pictures(part.frames(), part.coco, every=10)
    assert len(seen) == 4
    assert seen[0].feet.shape == (2, 2)
    np.testing.assert_allclose(sorted(seen[0].feet[:, 1]), [70 / 144, 120 / 144])
