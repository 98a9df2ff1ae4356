"""The recipe of the action network: a frame CNN that sees where people are, then a head on order.

First the CNN learns, from single pictures, a grid that shows feet and middles of people. Then it is
frozen, and the heads learn from what it saw of whole scenes, mixed with scenes that nobody drew but
that show what a perfect CNN would see: those cost next to nothing, so there are many. All heads
are compared on the very same features.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.action import ActionNetwork
from models.card import Card
from models.checkpoint import save
from models.frame_cnn import FrameCNN
from models.training.action_data import (
    CNN,
    HEIGHT,
    RATE_HZ,
    WIDTH,
    Part,
    Seen,
    drawn,
    imagined,
    real_pictures,
    single_pictures,
)
from models.training.action_heads import ARCHITECTURE, SHIPPED, train_head
from models.training.evaluate_action import measure, scores, tune_spans
from models.training.loop import fit, seed_everything
from models.training.motion import LABELS
from models.training.stage import Stage, make_stage

LIMITS = [
    "Learnt for one fixed camera: the background, the people's size and the ground of this scene.",
    "Labels come from a rule on where feet go in two seconds; where it will not say (mixed motion "
    "without a majority, a few of many moving), the network was neither trained nor measured.",
    "Most scenes are made up: real cut-outs of people moved over the real background.",
]


def train_cnn(
    stage: Stage, real: Sequence[Seen], *, steps: int, batch: int = 16, seed: int = 0
) -> FrameCNN:
    """A frame CNN, in eval mode, whose grid shows where people are."""
    seed_everything(seed)
    cnn = FrameCNN(**CNN)

    def loss(network: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        pictures, target = data
        found = network(pictures.permute(0, 3, 1, 2).float() / 255).reshape(target.shape)
        return F.binary_cross_entropy(found, target, reduction="sum") / (20 * len(target))

    fit(
        cnn,
        single_pictures(stage, real, batch, seed),
        loss,
        steps=steps,
        learning_rate=3e-3,
        weight_decay=1e-2,
        seed=seed,
        ema=0.99,
        title="frame CNN",
    )
    return cnn


def train_action(
    train: Part,
    heldout: Part,
    out: Path,
    *,
    steps: int = 800,
    scenes: int = 160,
    seed: int = 0,
    rivals: Sequence[str] = ("vote", "gru"),
    data: Sequence[Mapping[str, str]] = (),
    split: str = "",
    name: str = "street-action",
) -> Card:
    """The card of a network trained on `train`, measured on `heldout`, written to `out`.

    `steps` is that of the head; the CNN takes half as many. `rivals` are trained equally and only
    reported. The same seed on the same machine gives the same weights.
    """
    torch.set_flush_denormal(True)
    began = time.perf_counter()
    stage = make_stage(train.frames(), train.coco, train.background)
    real = real_pictures(train.frames(), train.coco)
    cnn = train_cnn(stage, real, steps=max(1, steps // 2), seed=seed)
    lessons = [drawn(cnn, stage, scenes, seed + 1), imagined(stage, 10 * scenes, seed + 2)]
    heads = {SHIPPED: train_head(SHIPPED, lessons, steps=steps, seed=seed)}
    seconds = time.perf_counter() - began
    for rival in rivals:
        heads[rival] = train_head(rival, lessons, steps=steps, seed=seed)
    tuning = drawn(cnn, stage, max(1, scenes // 4), seed + 3)
    card = Card(
        name=name,
        network="action",
        labels=LABELS,
        architecture=ARCHITECTURE,
        preprocessing={"width": WIDTH, "height": HEIGHT, "rate_hz": RATE_HZ, "colour": "RGB"},
        summary="What people in a fixed view do: stand, walk one way or both, gather, part.",
        data=[dict(entry) for entry in data],
        split=split,
        heldout=measure(cnn, heads, heldout, max(1, scenes // 2), seed + 4),
        limits=LIMITS,
        training={"steps": steps, "scenes": scenes, "seed": seed, "seconds": round(seconds)},
        postprocessing=tune_spans(
            tuning.labels.numpy(), scores(heads[SHIPPED], tuning.features), RATE_HZ
        ),
    )
    return save(out, ActionNetwork(cnn, heads[SHIPPED]).state_dict(), card)
