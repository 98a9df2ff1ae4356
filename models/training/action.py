"""The recipe of the action network: a frame CNN that sees where people are, then a head on order.

First the CNN learns, from single pictures, a grid that shows feet and middles of people. Then it is
frozen, and the heads learn from what it saw of whole scenes, mixed with scenes that nobody drew but
that show what a perfect CNN would see: those cost next to nothing, so there are many. All heads
are compared on the very same features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.action import ActionNetwork, build
from models.card import Card
from models.checkpoint import save
from models.frame_cnn import FrameCNN
from models.sequence import FeatureVote, SequenceHead, TraceGRU
from models.training.action_data import (
    CNN,
    GRID,
    HEIGHT,
    RATE_HZ,
    WIDTH,
    Lessons,
    Seen,
    drawn,
    imagined,
    real_pictures,
    single_pictures,
)
from models.training.evaluate_action import (
    Marks,
    majority,
    mark,
    scores,
    tracked_truth,
    tune_spans,
    watch,
)
from models.training.loop import fit, seed_everything
from models.training.motion import LABELS, UNCLEAR
from models.training.stage import Picture, Stage, make_stage

HEADS: dict[str, dict[str, Any]] = {
    "trace_gru": {"grid": GRID, "hidden": 96},
    "gru": {"grid": GRID, "hidden": 96},
    "mlp": {"grid": GRID, "hidden": 96, "window": 10},
    "vote": {"grid": GRID, "hidden": 96, "window": 10},
}
SHIPPED = "trace_gru"
ARCHITECTURE: dict[str, Any] = {
    "cnn": CNN,
    "head": {"name": SHIPPED, **HEADS[SHIPPED]},
    "classes": len(LABELS),
}
LIMITS = [
    "Learnt for one fixed camera: the background, the people's size and the ground of this scene.",
    "Labels come from a rule on where feet go in two seconds; where it will not say (mixed motion "
    "without a majority, a few of many moving), the network was neither trained nor measured.",
    "Most scenes are made up: real cut-outs of people moved over the real background.",
]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stream of a fixed camera: its frames, its labels, its empty background.

    `frames` starts anew at every call and gives (index, RGB); `coco` holds boxes and RLE masks with
    `track_id`, image ids being those indices; `indices` are the frames that belong to the part.
    """

    frames: Callable[[], Iterable[tuple[int, Picture]]]
    coco: dict[str, Any]
    background: Picture
    indices: range
    frame_rate_hz: float = 10.0


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


def train_head(
    name: str, lessons: Sequence[Lessons], *, steps: int, batch: int = 16, seed: int = 0
) -> SequenceHead:
    """A head, in eval mode, that learnt from all `lessons` in equal shares.

    A head that compares frames also learns, beside the labels, to say how each person moved: from
    a label alone it would have to find out by itself what motion is.
    """
    seed_everything(seed)
    head = build({**ARCHITECTURE, "head": {"name": name, **HEADS[name]}}).head
    to_drift = nn.Linear(16, 2)
    student = nn.ModuleList([head, to_drift])
    labels = torch.cat([lesson.labels.flatten() for lesson in lessons])
    counts = torch.bincount(labels[labels != UNCLEAR], minlength=len(LABELS))
    weight = (counts.sum() / len(LABELS) / counts.clamp_min(1)).sqrt()

    def loss(network: nn.Module, data: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        features, target, drifts = data
        del network
        extra = features.new_zeros(())
        if isinstance(head, TraceGRU):
            local = head.encode[:3](head.compared(features).flatten(0, 1))
            told = to_drift(local[::3].movedim(1, -1)).movedim(-1, 1)
            apart = (told - drifts[::3, :2]).clamp(-2, 2).square()
            extra = (apart * drifts[::3, 2:]).sum() / drifts[::3, 2:].sum().clamp_min(1)
            logits = head.decided(head.encode[3:](local), len(features))
        else:
            logits = (
                head.frame_logits(features) if isinstance(head, FeatureVote) else head(features)
            )
        flat = logits.flatten(0, 1)
        return extra + F.cross_entropy(flat, target.flatten(), weight, ignore_index=UNCLEAR)

    fit(
        student,
        _batches(lessons, batch, seed),
        loss,
        steps=steps,
        learning_rate=3e-3,
        weight_decay=2e-2,
        seed=seed,
        title=f"head {name}",
    )
    return head


def _batches(
    lessons: Sequence[Lessons], batch: int, seed: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    share = max(1, batch // len(lessons))
    while True:
        parts = []
        for lesson in lessons:
            chosen = torch.randint(len(lesson.labels), (share,), generator=generator)
            parts.append((lesson.features[chosen], lesson.labels[chosen], lesson.drifts[chosen]))
        features, labels, drifts = (torch.cat(kind) for kind in zip(*parts, strict=True))
        yield features.float(), labels, drifts.float().flatten(0, 1)


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


def measure(
    cnn: FrameCNN, heads: Mapping[str, SequenceHead], part: Part, scenes: int, seed: int
) -> dict[str, Any]:
    """Held-out figures of every head and of the majority class, on made-up and real frames."""
    stage = make_stage(part.frames(), part.coco, part.background)
    lessons = drawn(cnn, stage, max(1, scenes), seed)
    truth = lessons.labels.numpy()
    stride = max(1, round(part.frame_rate_hz / RATE_HZ))
    real_truth = tracked_truth(part.coco, part.indices, stage, part.frame_rate_hz)[::stride]
    made: dict[str, Marks] = {"majority": mark(truth, majority(truth))}
    real: dict[str, Marks] = {"majority": mark(real_truth, majority(real_truth))}
    for name, head in heads.items():
        made[name] = mark(truth, scores(head, lessons.features).argmax(-1))
        network = ActionNetwork(cnn, head).eval()
        real[name] = mark(real_truth, watch(network, _small(part, stride)).argmax(-1))
    return {
        "scenes": len(truth),
        "clear_steps": int((truth != UNCLEAR).sum()),
        "made_up": {name: asdict(marks) for name, marks in made.items()},
        "real_clear_steps": int((real_truth != UNCLEAR).sum()),
        "real_against_tracks": {name: asdict(marks) for name, marks in real.items()},
    }


def _small(part: Part, stride: int) -> Iterator[Picture]:
    """The frames of the part that a lane would sample, at the network's size."""
    for index, frame in part.frames():
        if index in part.indices and (index - part.indices.start) % stride == 0:
            small = cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            yield small.astype(np.uint8)
