from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import load
from models.training.clip_recipes import ACTION, ClipRecipe
from models.training.clip_sequences import IGNORED, Clips, joined, load_clips, varied
from models.training.dataset import SPLITS, Example
from models.training.dataset_split import Parts
from models.training.errors import TrainingError
from models.training.own_clips import train_own_clips
from models.training.settings import Trained, Workplace, labels_of

SMALL = ACTION["cnn-gru-small"]
TINY = replace(
    SMALL,
    cnn={"name": "tiny", "width": 16, "height": 8, "channels": [8, 8, 8], "grid_channels": 2},
    head={"name": "gru", "hidden": 8},
    length=5,
    settings=replace(SMALL.settings, steps=40, batch=4, check_every=8, learning_rate=2e-2, seed=3),
)


def made(each: int = 4) -> tuple[Parts, Clips]:
    """Clips of stripes that lie or stand, and their split."""
    rng = np.random.default_rng(0)
    stripes = {"lying": np.arange(8)[:, None] // 2 % 2, "standing": np.arange(16)[None] // 2 % 2}
    frames = {
        Example(Path(label, str(number)), label): (
            180 * shape[None, :, :, None] + rng.integers(0, 60, (6, 8, 16, 3))
        ).astype(np.uint8)
        for label, shape in stripes.items()
        for number in range(each)
    }
    examples = list(frames)
    parts: Parts = {
        "train": [one for one in examples if one.path.name in "01"],
        "validation": [one for one in examples if one.path.name == "2"],
        "test": [one for one in examples if one.path.name == "3"],
    }
    return parts, Clips(frames)


def train(place: Workplace, recipe: ClipRecipe = TINY) -> Trained:
    parts, clips = made()
    return train_own_clips(parts, clips, recipe, recipe.settings, place, {"name": "x"}, "x")


def killed_at(last: int) -> Callable[[str, int, float], None]:
    def watch(name: str, step: int, value: float) -> None:
        if step == last:
            raise KeyboardInterrupt

    return watch


@pytest.mark.slow
def test_stripes_are_told_apart_and_a_killed_run_goes_on(tmp_path: Path) -> None:
    whole = train(Workplace(tmp_path / "a"))
    assert whole.test.accuracy == 1.0
    place = Workplace(tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        train(replace(place, watch=killed_at(21)))
    assert not (tmp_path / "b" / "x.safetensors").exists()
    resumed = train(replace(place, resume=True))
    assert resumed.log.losses == whole.log.losses
    assert resumed.log.scores == whole.log.scores
    first, second = (load(one.path)[1] for one in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_settings_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Workplace(tmp_path, watch=killed_at(9)))
    other = replace(TINY, settings=replace(TINY.settings, learning_rate=0.1))
    with pytest.raises(TrainingError, match="other data or settings"):
        train(Workplace(tmp_path, resume=True), other)
    assert train(Workplace(tmp_path)).log.steps == 40


def test_patience_ends_a_run_and_the_card_says_so(tmp_path: Path) -> None:
    impatient = replace(TINY.settings, patience=1, check_every=1, learning_rate=1e-9)
    card = train(Workplace(tmp_path), replace(TINY, settings=impatient)).card
    assert card.training["steps_done"] == 2
    assert card.training["best_validation"]["step"] == 1


def test_joints_are_marked_and_every_clip_teaches() -> None:
    rng = np.random.default_rng(1)
    clips = [(np.full((n, 2, 2, 3), 10 * n, np.uint8), n) for n in (1, 4, 9)]
    pictures, targets = joined(clips, 40, 12, 2, rng)
    assert pictures.shape == (40, 12, 2, 2, 3) and targets.shape == (40, 12)
    shown = pictures[..., 0, 0, 0] // 10
    clear = targets != IGNORED
    assert torch.equal(targets[clear], shown[clear].long())
    assert set(targets[clear].tolist()) == {1, 4, 9}
    assert (~clear[:, 0] | (shown[:, 0] == 1)).all()


def test_frames_of_a_row_are_varied_alike_and_stay_in_range() -> None:
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8, 3)))
    twice = pictures.to(torch.uint8).expand(-1, 2, -1, -1, -1)
    moved = varied(twice, np.random.default_rng(0))
    assert moved.shape == (3, 2, 3, 8, 8)
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert moved.min() >= 0 and moved.max() <= 1


def test_too_short_clips_and_broken_ones_have_reasons() -> None:
    examples = [Example(Path(name), "a") for name in ("good", "short", "broken")]

    def watch(example: Example, rate_hz: float, width: int, height: int) -> np.ndarray:
        if example.path.name == "broken":
            message = "it is broken"
            raise OSError(message)
        count = 1 if example.path.name == "short" else 3
        return np.zeros((count, height, width, 3), np.uint8)

    found = load_clips(examples, watch, 5.0, (16, 8), 2)
    assert [one.path.name for one in found.frames] == ["good"]
    assert sorted(found.unreadable.values()) == [
        "1 frame(s) at 5 Hz; at least 2 are needed",
        "it is broken",
    ]


def test_background_comes_first() -> None:
    parts, _ = made()
    examples = [one for split in SPLITS for one in parts[split]]
    assert labels_of(examples) == ("lying", "standing")
    assert labels_of([*examples, Example(Path("b"), "background")])[0] == "background"
