from pathlib import Path

import numpy as np

from models.training.dataset import Example
from models.training.dataset_split import Parts
from models.training.recordings import Ints, Recordings
from models.training.settings import Settings
from models.training.sound_recipes import SoundRecipe
from tests.own_data import RATE, hiss, tone

TINY = SoundRecipe(
    RATE,
    Settings(6, 5, 1e-2, ema=0.9, label_smoothing=0.02, check_every=3),
    {"channels": 8, "skips": 8, "bands": 16, "dilations": [1, 2], "level_hops": 3},
    window_hops=8,
    streams=1,
    stream_s=4.0,
)


def made(each: int = 4) -> tuple[Parts, Recordings]:
    """Short rings and hisses, and their split."""
    samples: dict[Example, Ints] = {}
    for number in range(each):
        rng = np.random.default_rng(number)
        for make, label in ((tone, "ring"), (hiss, "hiss")):
            example = Example(Path(label, str(number)), label)
            samples[example] = (make(rng, 0.8) * 32767).astype(np.int16)
    parts: Parts = {
        "train": [one for one in samples if one.path.name in "01"],
        "validation": [one for one in samples if one.path.name == "2"],
        "test": [one for one in samples if one.path.name == "3"],
    }
    return parts, Recordings(samples)
