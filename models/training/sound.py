"""The recipe of the sound network: packages in, a checkpoint and its card out.

Two tasks run the same recipe. `street` is what ships: speech, music, impacts, animals and alarms
over background at 16 kHz. `six` is a comparison task at 8 kHz on six kinds of sound. Both stand
beside MFCC statistics with logistic regression on the same split and the same excerpts.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import Card
from models.checkpoint import save
from models.training.loop import TrainingLog, fit
from models.training.packages import cache_folder, fetch
from models.training.sound_data import Decode, Sound, find, load, split
from models.training.sound_events import Found, Postprocessing, events, match
from models.training.sound_mix import IGNORED, Mixer, Planted
from models.training.sound_score import excerpts, judge, judge_floor, name_excerpts, spread
from models.training.sound_sources import PACKAGES, SIX, STREET
from models.wavenet import WaveNet

_LOGGER = logging.getLogger(__name__)

TaskName = Literal["street", "six"]


@dataclass(frozen=True, slots=True)
class Task:
    """What is told apart, and at which rate; the hop is a tenth of a second."""

    name: TaskName
    labels: tuple[str, ...]
    sample_rate: int

    @property
    def architecture(self) -> dict[str, Any]:
        """The network's size; its times are the same for both tasks."""
        return {
            "classes": len(self.labels),
            "sample_rate": self.sample_rate,
            "hop": self.sample_rate // 10,
            "stride": self.sample_rate // 80,
            "taps": self.sample_rate // 40,
            "patch": 4,
            "channels": 80,
            "skips": 112,
        }


TASKS = {"street": Task("street", STREET, 16_000), "six": Task("six", SIX, 8_000)}

BATCH, WINDOW_HOPS = 32, 24
LEARNING_RATE, WEIGHT_DECAY, EMA = 6e-3, 0.02, 0.99
STEPS = 2500
USES = 12
"""Windows that share an event, each at another level, place and bed; see Mixer."""


SUMMARY = "Names what is heard in every tenth of a second; causal, for streams."
SPLIT = (
    "By group, never by window: drum kit, key, prompt (in all languages), speaker, series of hits. "
    "A quarter of the groups of every package and label, by rank of a hash, is for the test, 15 % "
    "for validation; the groups that the example clip is made of are always in the test."
)
LIMITS = (
    "Trained on sounds of software packages, mostly clean and close, mixed over noise; it was not "
    "measured on recordings of real streets.",
    "Sounds of packages that it was not trained on are named less well; see docs/sound.md.",
    "Few files stand for animals, alarms and music; each test speaker is one of few.",
    "One label at a time: of sounds that overlap, the louder is named.",
    "Some of the training sounds are under the GPL or CC-BY-SA; `data` names each licence.",
)


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


GRID = tuple(
    Postprocessing(smooth_s, on, off, min_s, merge_s)
    for smooth_s, on, off, min_s, merge_s in itertools.product(
        (0.2, 0.3, 0.5), (0.5, 0.6, 0.7, 0.8), (0.3, 0.4, 0.5), (0.2, 0.3, 0.4), (0.2, 0.4, 0.6)
    )
)

STREAMS, STREAM_S = 10, 60.0

Heard = tuple[NDArray[np.floating], list[Planted]]


@torch.inference_mode()
def hear(network: WaveNet, task: Task, sounds: Mapping[Sound, NDArray[np.int16]]) -> list[Heard]:
    """Logits per hop, and what was planted, for streams mixed from the given sounds."""
    mixer = Mixer(sounds, task.labels, task.sample_rate, network.hop, seed=12345)
    heard = []
    for _ in range(STREAMS):
        samples, planted = mixer.stream(STREAM_S)
        heard.append((network(torch.from_numpy(samples)[None, None])[0].numpy(), planted))
    return heard


def find_in(heard: Sequence[Heard], labels: Sequence[str], rules: Postprocessing) -> Found:
    """How many of the planted events are found under the given rules."""
    counts = (match(events(logits, labels, 0.1, rules), truth) for logits, truth in heard)
    return sum(counts, Found(0, 0, 0))


def tune(heard: Sequence[Heard], labels: Sequence[str]) -> Postprocessing:
    """The rules of the grid that find best (F1) in validation streams."""
    return max(GRID, key=lambda rules: find_in(heard, labels, rules).f1)


@dataclass(frozen=True, slots=True)
class Run:
    """One seed: its network and its figures on validation and test excerpts."""

    seed: int
    network: WaveNet
    log: TrainingLog
    validation: dict[str, Any]
    test: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """The samples of a task by split."""

    train: dict[Sound, NDArray[np.int16]]
    validation: dict[Sound, NDArray[np.int16]]
    test: dict[Sound, NDArray[np.int16]]


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
    card = _card(chosen, parts, runs, best, floor, rules, streams)
    return save(out, best.network.state_dict(), card)


def _card(
    task: Task,
    parts: Parts,
    runs: Sequence[Run],
    best: Run,
    floor: Mapping[str, Any],
    rules: Postprocessing,
    streams: Found,
) -> Card:
    """The card of the best run, with the figures of all runs and of the floor."""
    used = {s.package for s in [*parts.train, *parts.validation]}
    return Card(
        name="sound" if task.name == "street" else f"sound-{task.name}",
        network="wavenet",
        labels=task.labels,
        architecture=task.architecture,
        preprocessing={
            "sample_rate": task.sample_rate,
            "hop": task.sample_rate // 10,
            "input": "mono, linear, -1 to 1, not normalised",
            "receptive_field_s": round(best.network.receptive_field / task.sample_rate, 3),
        },
        summary=SUMMARY,
        data=[package.for_card() for package in PACKAGES if package.name in used],
        split=SPLIT,
        heldout={
            "excerpts": best.test,
            "over_seeds": spread([run.test for run in runs]),
            "floor": dict(floor),
            "streams": {
                "planted": streams.planted,
                "recall": round(streams.recall, 4),
                "precision": round(streams.precision, 4),
                "onset_within_s": 0.5,
            },
        },
        limits=list(LIMITS),
        training={
            "recipe": "models.training.sound",
            "seed": best.seed,
            "steps": best.log.steps,
            "seconds": round(best.log.seconds),
            "batch": BATCH,
            "window_s": WINDOW_HOPS / 10,
            "parameters": sum(p.numel() for p in best.network.parameters()),
            "files": {label: sum(s.label == label for s in parts.train) for label in task.labels},
        },
        postprocessing=asdict(rules),
    )
