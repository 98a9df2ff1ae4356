"""A clip CNN learns clips that only their order tells apart, and its checkpoint labels a stream."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.clip import load_labeller
from models.training.clip_recipes import ClipRecipe
from models.training.clip_sequences import Clips
from models.training.dataset import Example
from models.training.dataset_split import Parts
from models.training.own_snippets import piece, train_own_snippets
from models.training.settings import Settings, Workplace

RECIPE = ClipRecipe(
    Settings(60, 8, 2e-2, ema=0.9, check_every=20, seed=1),
    {"name": "latest"},
    {"name": "c3d_small", "width": 24, "height": 8, "frames": 4, "channels": [8, 16], "grid": 1},
)


def moving(step: int, start: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A bar that moves by `step` px a frame and comes back on the other side."""
    frames = np.full((9, 8, 24, 3), 20, np.uint8)
    for index, frame in enumerate(frames):
        frame[:, np.arange(4) + (start + step * index) % 24 - 24] = 230
    return frames


def made(each: int = 8) -> tuple[Parts, Clips]:
    clips = Clips(
        {
            Example(Path(label, str(number)), label): moving(step, 3 * number)
            for label, step in (("left", -2), ("right", 2))
            for number in range(each)
        }
    )
    groups = {"train": "0123", "validation": "45", "test": "67"}
    parts: Parts = {
        "train": [one for one in clips.frames if one.path.name in groups["train"]],
        "validation": [one for one in clips.frames if one.path.name in groups["validation"]],
        "test": [one for one in clips.frames if one.path.name in groups["test"]],
    }
    return parts, clips


def test_direction_is_learnt_and_the_checkpoint_labels_a_stream(tmp_path: Path) -> None:
    parts, clips = made()
    trained = train_own_snippets(
        parts, clips, RECIPE, RECIPE.settings, Workplace(tmp_path), {"name": "bars"}, "bars"
    )
    assert trained.test.accuracy == 1.0
    assert trained.card.preprocessing["rate_hz"] == RECIPE.rate_hz
    card, network = load_labeller(trained.path)
    state = network.initial_state(1)
    for frame in moving(2, 5)[:8]:
        row = network.features(torch.from_numpy(frame[None]))
        logits, state = network.step(row, state)
    assert card.labels[int(logits.argmax())] == "right"


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    parts, clips = made()
    short = Settings(3, 4, 1e-2, check_every=3)
    cards = [
        train_own_snippets(parts, clips, RECIPE, short, Workplace(tmp_path / name), {}, "x").card
        for name in ("one", "two")
    ]
    assert cards[0].sha256 == cards[1].sha256


def test_a_piece_is_frames_in_a_row_and_a_short_clip_is_held() -> None:
    rng = np.random.default_rng(0)
    numbered = np.arange(9, dtype=np.uint8)[:, None, None, None]
    starts = {tuple(piece(numbered, 4, rng).ravel()) for _ in range(200)}
    assert starts == {tuple(range(first, first + 4)) for first in range(6)}
    assert piece(numbered[:2], 4, rng).ravel().tolist() == [0, 1, 1, 1]
