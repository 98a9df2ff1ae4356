"""Labelled clips in memory, and the joined sequences of them that a network learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from models.training.dataset import Example

Frames = NDArray[np.uint8]
Watch = Callable[[Example, float, int, int], Frames]

IGNORED = -1
SHIFT = 0.06
"""Pictures are shifted by up to this share of their size."""


@dataclass(frozen=True, slots=True)
class Clips:
    """Frames (T, H, W, 3) by example, sampled and scaled, and why others have none."""

    frames: dict[Example, Frames]
    unreadable: dict[Example, str] = field(default_factory=dict)


def load_clips(
    examples: Sequence[Example],
    watch: Watch,
    rate_hz: float,
    size: tuple[int, int],
    least: int,
) -> Clips:
    """The frames of every example that has at least `least`, and reasons for the others."""
    found = Clips({})
    for example in examples:
        try:
            frames = watch(example, rate_hz, *size)
        except Exception as error:  # whatever the injected decoder raises
            found.unreadable[example] = str(error)
            continue
        if len(frames) < least:
            found.unreadable[example] = (
                f"{len(frames)} frame(s) at {rate_hz:g} Hz; at least {least} are needed"
            )
            continue
        found.frames[example] = frames
    return found


def joined(
    clips: Sequence[tuple[Frames, int]],
    batch: int,
    length: int,
    settle: int,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """(batch, length, H, W, 3) uint8 of cuts of clips in a row, and their labels (batch, length).

    The first `settle` frames of a cut are IGNORED, but never all of them: a frame after a joint
    cannot yet tell what has begun.
    """
    pictures = np.empty((batch, length, *clips[0][0].shape[1:]), np.uint8)
    targets = np.full((batch, length), IGNORED, np.int64)
    for row in range(batch):
        at = 0
        while at < length:
            frames, label = clips[int(rng.integers(len(clips)))]
            count = min(int(rng.integers(-(-length // 3), length + 1)), length - at, len(frames))
            first = int(rng.integers(len(frames) - count + 1))
            pictures[row, at : at + count] = frames[first : first + count]
            targets[row, at + min(settle, count - 1) : at + count] = label
            at += count
    return torch.from_numpy(pictures), torch.from_numpy(targets)


def varied(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, T, H, W, 3) uint8 -> (B, T, 3, H, W) in 0..1, each row shifted and lit in its own way.

    Nothing is mirrored: left and right may be what the labels are about.
    """
    rows, frames, height, width = pictures.shape[:4]
    light = torch.from_numpy(rng.uniform((0.8, -0.06), (1.2, 0.06), (rows, 2))).float()
    shift = torch.from_numpy(rng.uniform(-2 * SHIFT, 2 * SHIFT, (rows, 2))).float()
    lit = pictures.permute(0, 1, 4, 2, 3).float() / 255
    lit = (lit * light[:, 0].view(-1, 1, 1, 1, 1) + light[:, 1].view(-1, 1, 1, 1, 1)).clamp(0, 1)
    turn = torch.cat((torch.eye(2).expand(rows, 2, 2), shift[:, :, None]), dim=2)
    stacked = lit.flatten(1, 2)  # B, T * 3, H, W: all frames of a row move together
    grid = F.affine_grid(turn, list(stacked.shape), align_corners=False)
    moved = F.grid_sample(stacked, grid, padding_mode="border", align_corners=False)
    return moved.reshape(rows, frames, 3, height, width)
