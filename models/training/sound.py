"""The recipe of the sound network: packages in, a checkpoint and its card out.

Two tasks run the same recipe. `street` is what ships: speech, music, impacts, animals and alarms
over background at 16 kHz. `six` is a comparison task at 8 kHz on six kinds of sound. Both stand
beside MFCC statistics with logistic regression on the same split and the same excerpts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import Card
from models.checkpoint import save
from models.training.loop import TrainingLog, fit
from models.training.packages import cache_folder, fetch
from models.training.sound_card import sound_card
from models.training.sound_data import Decode, Sound, find, load, split
from models.training.sound_mix import IGNORED, Mixer
from models.training.sound_score import excerpts, judge, judge_floor, name_excerpts
from models.training.sound_sources import PACKAGES
from models.training.sound_task import BATCH, TASKS, WINDOW_HOPS, Parts, Run, Task, TaskName
from models.training.sound_tune import find_in, hear, tune
from models.wavenet import WaveNet

_LOGGER = logging.getLogger(__name__)

LEARNING_RATE, WEIGHT_DECAY, EMA = 6e-3, 0.02, 0.99
STEPS = 2500
USES = 12
"""Windows that share an event, each at another level, place and bed; see Mixer."""


def hop_weights(mixer: Mixer, classes: int, windows: int = 100) -> Tensor:
    """A weight per label that undoes how many hops it has in the mixes; 1 on average."""
    hops = np.concatenate([mixer.window(WINDOW_HOPS)[1] for _ in range(windows)])
    counts = np.bincount(hops[hops != IGNORED], minlength=classes)
    weights = 1 / np.sqrt(np.maximum(counts, 1))
    return torch.from_numpy(weights / weights.mean()).float()


def train_one(
    task: Task, sounds: Mapping[Sound, NDArray[np.int16]], *, seed: int, steps: int
) -> tuple[WaveNet, TrainingLog]:
    """A network trained on mixes of the given sounds, in eval mode, and how it went."""
    torch.manual_seed(seed)
    network = WaveNet(**task.architecture)
    mixer = Mixer(sounds, task.labels, task.sample_rate, network.hop, seed, USES)
    weights = hop_weights(mixer, len(task.labels))

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        samples, targets = batch
        logits = network(samples).flatten(0, 1)
        return F.cross_entropy(
            logits, targets.flatten(), weights, ignore_index=IGNORED, label_smoothing=0.02
        )

    log = fit(
        network,
        mixer.batches(BATCH, WINDOW_HOPS),
        loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        seed=seed,
        ema=EMA,
        title=f"sound, {task.name}, seed {seed}",
    )
    return network, log


def prepare(
    task: Task, decode: Decode, given: Path | None = None, leave_out: Sequence[str] = ()
) -> Parts:
    """Fetches (or takes from `given`), decodes and splits the sounds of a task."""
    folders = {package.name: fetch(package, given) for package in PACKAGES}
    found = find(folders, task.name)
    samples = load(found, folders, decode, task.sample_rate, cache_folder())
    parts = split(samples, leave_out)
    cut = [
        {sound: samples[sound] for sound in parts[name]} for name in ("train", "validation", "test")
    ]
    return Parts(*cut)


def run_seed(task: Task, parts: Parts, seed: int, steps: int) -> Run:
    """Trains and judges one seed."""
    network, log = train_one(task, parts.train, seed=seed, steps=steps)
    figures = []
    for sounds in (parts.validation, parts.test):
        given = excerpts(sounds, task.sample_rate)
        said = name_excerpts(network, task.labels, given)
        figures.append(judge([excerpt.label for excerpt in given], said))
    _LOGGER.info("%s, seed %d: %s", task.name, seed, figures[1])
    return Run(seed, network, log, *figures)


def train_sound(
    out: Path,
    *,
    decode: Decode,
    given: Path | None = None,
    task: TaskName = "street",
    seeds: Sequence[int] = (0,),
    steps: int = STEPS,
    leave_out: Sequence[str] = (),
) -> Card:
    """Trains, judges, tunes and writes a checkpoint; returns the card as written.

    The seed with the best balanced accuracy on the validation excerpts is written. `decode` turns
    a file and a rate into mono samples; `given` is a folder that holds the packages; `leave_out`
    names packages that only the test may use.
    """
    chosen = TASKS[task]
    parts = prepare(chosen, decode, given, leave_out)
    runs = [run_seed(chosen, parts, seed, steps) for seed in seeds]
    floor = judge_floor(parts.train, parts.validation, parts.test, chosen.sample_rate, seeds[0])
    best = max(runs, key=lambda run: run.validation["balanced_accuracy"])
    rules = tune(hear(best.network, chosen, parts.validation), chosen.labels)
    streams = find_in(hear(best.network, chosen, parts.test), chosen.labels, rules)
    card = sound_card(chosen, parts, runs, best, floor, rules, streams)
    return save(out, best.network.state_dict(), card)
