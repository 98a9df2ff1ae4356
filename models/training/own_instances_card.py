"""What the card of an instances network for pictures of one's own says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.card import Card
from models.training.coco_split import CocoParts, label_counts
from models.training.instance_recipes import InstanceRecipe
from models.training.loop import TrainingLog

LIMITS = (
    "Trained on its owner's pictures alone; how well it does on streams was not measured.",
    "Things that its pictures show without a label are background to it.",
)


def own_card(
    name: str,
    categories: Sequence[Mapping[str, Any]],
    recipe: InstanceRecipe,
    architecture: dict[str, Any],
    about: Mapping[str, Any],
) -> Card:
    """The card before anything is learnt; `about` says of the data what belongs on it."""
    return Card(
        name=name,
        network="mask_rcnn",
        labels=tuple(one["name"] for one in categories),
        architecture=architecture,
        preprocessing={"min_size": recipe.short_px, "colour": "RGB"},
        summary="Outlines what its owner's labelled pictures show.",
        licence="not stated",
        data=[{key: str(value) for key, value in about.items()}],
        split="by picture content, or as the data says",
        limits=list(LIMITS),
    )


def about_run(recipe: InstanceRecipe, log: TrainingLog, parts: CocoParts) -> dict[str, Any]:
    """What a card says of the run."""
    best = max(log.scores, key=lambda pair: pair[1]) if log.scores else None
    settings = asdict(recipe.settings)
    for unused in ("dropout", "label_smoothing"):
        del settings[unused]
    return {
        **settings,
        "crop_px": recipe.crop_px,
        "precision": recipe.precision,
        "start": recipe.start or "scratch",
        "steps_done": log.steps,
        "seconds": round(log.seconds),
        "final_loss": round(log.final_loss, 4),
        "best_validation": None if best is None else {"step": best[0], "mask_AP": best[1]},
        "pictures": {split: len(part.files) for split, part in parts.items()},
        "labels": label_counts(parts),
    }
