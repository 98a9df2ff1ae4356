"""The networks for clips and pictures of one's own, by recipe name, and how they are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.conv3d import ClipCNN
from models.frame_cnn import FrameCNN
from models.training.settings import Settings


@dataclass(frozen=True, slots=True)
class ClipRecipe:
    """The network's parts and how it is trained.

    `length` frames are a lesson, `settle` frames after a joint are not judged; a clip has at least
    `least` frames. The frame CNN is `tiny` unless another trunk is asked for. With `snippets` the
    `cnn` is a clip CNN, and a lesson is as long as one of its snippets.
    """

    settings: Settings
    head: dict[str, Any]
    cnn: dict[str, Any]
    rate_hz: float = 5.0
    length: int = 15
    settle: int = 2
    least: int = 2
    snippets: bool = False

    def with_trunk(self, name: str) -> dict[str, Any]:
        """The CNN's arguments with another trunk, at the size that it takes."""
        if self.snippets:
            whole = ClipCNN(name)
            size = {"width": whole.width, "height": whole.height}
            return {"name": name, **size, "frames": whole.frames}
        cnn = FrameCNN(name)
        return {"name": name, "width": cnn.width, "height": cnn.height}


_TINY = {"name": "tiny", "width": 160, "height": 120}
_NARROW = {**_TINY, "channels": [8, 16, 24], "grid_channels": 4}
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

_SNIPPET = {"name": "c3d_small", "width": 80, "height": 60, "frames": 8, "stride": 2}
_SMALL_SNIPPET = {
    "name": "c3d_small",
    "width": 32,
    "height": 24,
    "frames": 4,
    "channels": [8, 16],
}
_LATEST = {"name": "latest"}

ACTION: dict[str, ClipRecipe] = {
    "cnn-gru": ClipRecipe(_LONG, {"name": "gru", "hidden": 96}, _TINY),
    "cnn-gru-small": ClipRecipe(_SHORT, {"name": "gru", "hidden": 32}, _SMALL, length=10),
    "cnn-mlp": ClipRecipe(_LONG, {"name": "mlp", "hidden": 96, "window": 10}, _TINY),
    "cnn-vote": ClipRecipe(_LONG, {**_VOTE, "window": 10}, _TINY),
    "conv3d": ClipRecipe(_LONG, _LATEST, _SNIPPET, snippets=True),
    "conv3d-small": ClipRecipe(_SHORT, _LATEST, _SMALL_SNIPPET, snippets=True),
}
FRAMES: dict[str, ClipRecipe] = {
    "cnn": ClipRecipe(_LONG, _VOTE, _TINY, length=1, settle=0, least=1),
    "cnn-narrow": ClipRecipe(_LONG, {**_VOTE, "hidden": 32}, _NARROW, length=1, settle=0, least=1),
    "cnn-small": ClipRecipe(_SHORT, _VOTE, _SMALL, length=1, settle=0, least=1),
}
