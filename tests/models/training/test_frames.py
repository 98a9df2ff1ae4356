"""The digit recipe: what is held out is not learnt from, pictures are bent, the card is true."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from models.frame_cnn import load_frames
from models.training.frames import (
    FILE,
    MNIST,
    Digits,
    accuracy,
    as_rgb,
    bend,
    lessons,
    read_digits,
    split_digits,
    train_frames,
)
from models.training.packages import PackageError


def bars(each: int = 10) -> Digits:
    """A bright bar for each digit, in a place of its own, with some noise around it."""
    rng = np.random.default_rng(0)
    labels = np.arange(10).repeat(each)
    pictures = rng.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = 4 + 10 * (label // 5), 2 + 5 * (label % 5)
        picture[row : row + 9, column : column + 4] = 255
    return Digits(pictures, labels)


def written(folder: Path, digits: Digits) -> Path:
    """A folder that looks as the unpacked package does."""
    table = np.concatenate([digits.pictures.reshape(len(digits.labels), -1),
                            digits.labels[:, None]], 1)  # fmt: skip
    path = folder / MNIST.name / FILE
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="ascii") as opened:
        np.savetxt(opened, table, fmt="%d", delimiter=",")
    return folder


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    digits = bars(2)
    again = read_digits(written(tmp_path, digits) / MNIST.name)
    assert (again.pictures == digits.pictures).all()
    assert again.labels.tolist() == digits.labels.tolist()


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir(parents=True)
    with pytest.raises(PackageError, match="mnist_5k"):
        read_digits(tmp_path)
    path.write_bytes(gzip.compress(b"1,2,3\n4,5,6\n"))
    with pytest.raises(PackageError, match="3 columns"):
        read_digits(tmp_path)


def test_a_fifth_of_every_digit_is_held_out() -> None:
    digits = bars(10)
    numbered = Digits(digits.pictures, digits.labels)
    numbered.pictures[:, 0, 0] = np.arange(100)
    teach, judge = split_digits(numbered)
    assert np.bincount(teach.labels).tolist() == [8] * 10
    assert np.bincount(judge.labels).tolist() == [2] * 10
    assert not set(teach.pictures[:, 0, 0]) & set(judge.pictures[:, 0, 0])


def test_a_digit_sits_in_the_middle_of_black() -> None:
    pictures = as_rgb(np.full((1, 28, 28), 255, np.uint8))
    assert pictures.shape == (1, 3, 32, 32)
    assert pictures[0, 0].sum() == 28 * 28
    assert pictures[..., 2:-2, 2:-2].min() == 1


def test_bending_moves_ink_and_keeps_most_of_it() -> None:
    pictures = torch.zeros(16, 1, 32, 32)
    pictures[..., 12:20, 12:20] = 1
    bent = bend(pictures, torch.Generator().manual_seed(0))
    assert bent.shape == pictures.shape
    ink = bent.sum((1, 2, 3)) / 64
    assert 0.6 < ink.min() < ink.max() < 1.5
    assert (bent - bent[:1]).abs().amax((1, 2, 3))[1:].min() > 0.3  # no two alike
    again = bend(pictures, torch.Generator().manual_seed(0))
    assert torch.equal(bent, again)


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
