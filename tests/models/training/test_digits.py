"""Digits: the table is read as it was written, a fifth is held out, pictures are bent."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from models.training.digits import FILE, MNIST, Digits, as_rgb, bend, read_digits, split_digits
from models.training.packages import PackageError
from tests.models.training.toy_digits import bars, written


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
