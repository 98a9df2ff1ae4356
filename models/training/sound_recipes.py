"""The networks for sounds of one's own, by recipe name, and how they are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.training.settings import Settings


@dataclass(frozen=True, slots=True)
class SoundRecipe:
    """A WaveNet's size and how it is trained; the hop is a tenth of a second."""

    sample_rate: int
    settings: Settings
    sizes: dict[str, Any]
    window_hops: int = 24
    streams: int = 8
    stream_s: float = 30.0

    def architecture(self, labels: Sequence[str], settings: Settings) -> dict[str, Any]:
        """The arguments of `models.wavenet.WaveNet`."""
        rate = self.sample_rate
        shape = {"hop": rate // 10, "stride": rate // 80, "taps": rate // 40, "patch": 4}
        plain = {"classes": len(labels), "sample_rate": rate, "dropout": settings.dropout}
        return {**plain, **shape, **self.sizes}


RECIPES: dict[str, SoundRecipe] = {
    "wavenet": SoundRecipe(
        16_000,
        Settings(2000, 32, 6e-3, ema=0.99, label_smoothing=0.02),
        {"channels": 80, "skips": 112},
    ),
    "wavenet-narrow": SoundRecipe(
        16_000,
        Settings(2000, 32, 6e-3, ema=0.99, label_smoothing=0.02),
        {"channels": 32, "skips": 48, "bands": 48},
    ),
    "wavenet-small": SoundRecipe(
        8_000,
        Settings(300, 16, 1e-2, ema=0.98, label_smoothing=0.02, check_every=50),
        {"channels": 24, "skips": 32, "bands": 32, "dilations": [1, 2, 4, 8]},
        streams=4,
    ),
}
