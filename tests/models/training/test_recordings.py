from pathlib import Path

import numpy as np
import torch

from models.training.dataset import Example
from models.training.recordings import as_sounds, find, hear, load_sounds, trimmed, tune
from models.wavenet import WaveNet
from tests.networks import WAVENET
from tests.own_data import RATE, hiss, tone

LABELS = ("background", "hiss", "ring")


def listen(example: Example, sample_rate: int) -> np.ndarray:
    """What the name of the file says."""
    rng = np.random.default_rng(0)
    match example.path.name:
        case "broken":
            message = "it is broken"
            raise OSError(message)
        case "silent":
            return np.zeros(sample_rate, np.float32)
        case "short":
            return np.ones(1, np.float32)
        case "none":
            return np.zeros(0, np.float32)
        case "hiss":
            return hiss(rng, 1.0, sample_rate)
    return tone(rng, 1.0, sample_rate)


def made(*names: str) -> list[Example]:
    return [Example(Path(name), name) for name in names]


def test_what_cannot_be_used_has_a_reason() -> None:
    examples = made("ring", "broken", "silent", "short", "none")
    found = load_sounds(examples, listen, RATE)
    assert [one.label for one in found.samples] == ["ring"]
    assert {one.label: why for one, why in found.unreadable.items()} == {
        "broken": "it is broken",
        "silent": "it is silent from start to end",
        "short": "1 sample(s) at 8000 Hz; 0.04 s are needed",
        "none": "0 sample(s) at 8000 Hz; 0.04 s are needed",
    }


def test_silence_at_both_ends_is_cut() -> None:
    sound = np.concatenate([np.zeros(RATE), np.full(RATE // 2, 0.5), np.zeros(RATE)])
    cut = trimmed(sound.astype(np.float32), RATE)
    assert len(cut) == RATE // 2 and (cut == 0.5).all()


def test_streams_hold_only_labels_that_have_sounds() -> None:
    torch.manual_seed(0)
    network = WaveNet(**WAVENET).eval()
    found = load_sounds(made("ring"), listen, RATE)
    sounds = as_sounds(list(found.samples), found)
    heard = hear(network, LABELS, sounds, 2, 6.0, seed=3)
    assert {planted.label for _, truth in heard for planted in truth} == {"ring"}
    assert all(logits.shape == (6 * RATE // 400, 3) for logits, _ in heard)
    rules = tune(heard, LABELS)
    assert find(heard, LABELS, rules).planted == sum(len(truth) for _, truth in heard)


def test_parts_of_one_file_are_sounds_of_their_own() -> None:
    parts = [Example(Path("ring"), "ring", at, at + 1.0) for at in (0.0, 1.0)]
    assert len(as_sounds(parts, load_sounds(parts, listen, RATE))) == 2
