"""Digits that a short run can learn: a bright bar for each, in a place of its own."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from models.training.digits import FILE, MNIST, Digits


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
