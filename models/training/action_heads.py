"""The heads of the action network: how they are built, and how one learns from given features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.action import build
from models.sequence import FeatureVote, SequenceHead, TraceGRU
from models.training.action_data import CNN, GRID, Lessons
from models.training.loop import fit, seed_everything
from models.training.motion import LABELS, UNCLEAR

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
