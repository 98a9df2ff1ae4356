"""The networks for clips and pictures of one's own, by recipe name, and how they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.frame_cnn import FrameCNN
from models.training.settings import Settings


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """The network's parts and how it is trained.

    `length` frames are a lesson, `settle` frames after a joint are not judged; a clip has at least
    `least` frames. The frame CNN is `tiny` unless another trunk is asked for.
    """

    settings: Settings
    head: dict[str, Any]
    cnn: dict[str, Any]
    rate_hz: float = 5.0
    length: int = 15
    settle: int = 2
    least: int = 2

    def with_trunk(self, name: str) -> dict[str, Any]:
        """The frame CNN's arguments with another trunk, at the size that it takes."""
        cnn = FrameCNN(name)
        return {"name": name, "width": cnn.width, "height": cnn.height}


_TINY = {"name": "tiny", "width": 160, "height": 120}
_SMALL = {
    "name": "tiny",
    "width": 64,
    "height": 48,
    "channels": [8, 16, 16],
    "grid_channels": 4,
}
_LONG = Settings(1500, 8, 2e-3, ema=0.99, check_every=100)
_SHORT = Settings(300, 8, 4e-3, ema=0.98, check_every=50)
_VOTE = {"name": "vote", "hidden": 64, "window": 1}

ACTION: dict[str, ClipRecipe] = {
    "cnn-gru": ClipRecipe(_LONG, {"name": "gru", "hidden": 96}, _TINY),
    "cnn-gru-small": ClipRecipe(_SHORT, {"name": "gru", "hidden": 32}, _SMALL, length=10),
    "cnn-mlp": ClipRecipe(_LONG, {"name": "mlp", "hidden": 96, "window": 10}, _TINY),
    "cnn-vote": ClipRecipe(_LONG, {**_VOTE, "window": 10}, _TINY),
}
FRAMES: dict[str, ClipRecipe] = {
    "cnn": ClipRecipe(_LONG, _VOTE, _TINY, length=1, settle=0, least=1),
    "cnn-small": ClipRecipe(_SHORT, _VOTE, _SMALL, length=1, settle=0, least=1),
}
