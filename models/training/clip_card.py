"""What the card of a network for clips or pictures of one's own says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.card import Card
from models.training.class_scores import ClassScores
from models.training.clip_recipes import ClipRecipe

LIMITS = (
    "Trained on its owner's files alone; how well it does on streams was not measured.",
    "Every frame gets one of the labels: a class called background is what makes no event.",
)


def clip_card(
    name: str,
    labels: Sequence[str],
    architecture: dict[str, Any],
    recipe: ClipRecipe,
    about: Mapping[str, Any],
    test: ClassScores,
    training: dict[str, Any],
    summary: str,
) -> Card:
    """The card; `about` says of the data what belongs on it (`name`, `sha256`)."""
    return Card(
        name=name,
        network="action",
        labels=tuple(labels),
        architecture=architecture,
        preprocessing={
            "width": recipe.cnn["width"],
            "height": recipe.cnn["height"],
            "rate_hz": recipe.rate_hz,
            "colour": "RGB",
        },
        summary=summary,
        licence="not stated",
        data=[{key: str(value) for key, value in about.items()}],
        split="by file content, or as the data says",
        heldout=test.to_json(),
        limits=list(LIMITS),
        training=training,
    )
