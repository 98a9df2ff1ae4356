from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.training import sound as recipe
from models.training import sound_tune
from models.training.sound import hop_weights, train_sound
from models.training.sound_data import Sound
from models.training.sound_mix import Mixer
from models.training.sound_sources import PACKAGES, SIX
from models.training.sound_task import TASKS
from models.wavenet import load_sound

pytestmark = pytest.mark.slow

FILES = {
    "asterisk-core-sounds-en-wav": "sounds/{}.wav",
    "hydrogen-drumkits": "kits/kit{}/snare.wav",
    "bucklespring-data": "wav/{}-0.wav",
    "asterisk-moh-opsound-wav": "moh/{}.wav",
    "tuxpaint-stamps-default": "stamps/animals/{}.ogg",
    "minetest-data": "sounds/default_{}_footstep.1.ogg",
}
NAMES = ("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "oak")


def decode(path: Path, rate: int) -> NDArray[np.float32]:
    """A decaying tone whose pitch goes with the package, so that there is something to learn."""
    package = next(n for n, name in enumerate(FILES) if name in path.parts)
    time = np.arange(rate) / rate
    return (np.sin(2 * np.pi * 200 * 1.6**package * time) * np.exp(-2 * time)).astype(np.float32)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every package, unpacked, that holds a few empty files by the right names."""
    monkeypatch.setenv("WITNESS_CACHE", str(tmp_path / "cache"))
    for package in PACKAGES:
        (tmp_path / "given" / package.name).mkdir(parents=True)
    for package, pattern in FILES.items():
        for name in NAMES:
            path = tmp_path / "given" / package / pattern.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    return tmp_path / "given"


def test_the_recipe_writes_a_checkpoint_that_its_card_describes(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "BATCH", 2)
    monkeypatch.setattr(sound_tune, "STREAMS", 1)
    monkeypatch.setattr(sound_tune, "STREAM_S", 10.0)
    monkeypatch.setattr(sound_tune, "GRID", sound_tune.GRID[:2])
    out = tmp_path / "six.safetensors"
    written = train_sound(out, decode=decode, given=given, task="six", seeds=(0, 1), steps=1)
    card, network = load_sound(out)
    assert card == written
    assert card.labels == SIX
    assert {entry["package"] for entry in card.data} == set(FILES)
    assert all(entry["licence"] for entry in card.data)
    assert card.heldout["over_seeds"]["seeds"] == 2
    assert card.heldout["excerpts"]["excerpts"] == card.heldout["floor"]["excerpts"] == 6 * 2
    assert card.heldout["floor"]["accuracy"] == 1.0
    assert 0 <= card.postprocessing["off"] <= card.postprocessing["on"] <= 1
    assert card.training["steps"] == 1
    hop = card.preprocessing["hop"]
    assert network(torch.zeros(1, 1, 3 * hop)).shape == (1, 3, len(SIX))


def test_rare_labels_weigh_more() -> None:
    loud = (np.random.default_rng(0).normal(0, 3000, 40_000)).astype(np.int16)
    sounds = {
        Sound("p", "long", "long", "p", "long"): loud,
        Sound("p", "short", "short", "p", "short"): loud[:6000],
    }
    weights = hop_weights(Mixer(sounds, ("background", "long", "short"), 8000, 800, 0), 3)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[2] > weights[1] > weights[0]


def test_both_tasks_have_a_hop_of_a_tenth_of_a_second() -> None:
    for task in TASKS.values():
        assert task.architecture["hop"] * 10 == task.sample_rate
        assert task.architecture["classes"] == len(task.labels)
