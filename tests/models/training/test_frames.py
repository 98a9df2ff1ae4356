"""The digit recipe: every picture is shown, a short run learns, the card is true."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.frame_cnn import load_frames
from models.training.digits import MNIST, split_digits
from models.training.frames import accuracy, lessons, train_frames
from tests.models.training.toy_digits import bars, written

pytestmark = pytest.mark.slow


def test_every_picture_is_shown_once_a_round() -> None:
    batches = lessons(bars(4), 8, seed=0)
    shown = torch.cat([next(batches)[1] for _ in range(5)])
    assert torch.bincount(shown).tolist() == [4] * 10


def test_a_short_run_learns_and_its_card_says_how_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WITNESS_CACHE", str(tmp_path / "cache"))
    given = written(tmp_path / "given", bars())
    out = tmp_path / "digits.safetensors"
    card = train_frames(out, given=given, steps=120, batch=16)
    assert card.heldout["pictures"] == 20
    assert card.heldout["accuracy"] > 0.7
    assert card.data[0]["sha256"] == MNIST.sha256
    read, cnn = load_frames(out)
    assert read.labels == tuple("0123456789")
    assert accuracy(cnn, split_digits(bars())[1]) == card.heldout["accuracy"]
