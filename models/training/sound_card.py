"""What the card of a sound network says: its data, its split, its figures and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.card import Card
from models.training.sound_events import Found, Postprocessing
from models.training.sound_score import spread
from models.training.sound_sources import PACKAGES
from models.training.sound_task import BATCH, WINDOW_HOPS, Parts, Run, Task
from models.wavenet import WaveNet

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


def sound_card(
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
        preprocessing=sound_preprocessing(best.network),
        summary=SUMMARY,
        data=[package.for_card() for package in PACKAGES if package.name in used],
        split=SPLIT,
        heldout={
            "excerpts": best.test,
            "over_seeds": spread([run.test for run in runs]),
            "floor": dict(floor),
            "streams": stream_figures(streams),
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


def sound_preprocessing(network: WaveNet) -> dict[str, Any]:
    """What a lane must know of a sound network, for its card."""
    return {
        "sample_rate": network.sample_rate,
        "hop": network.hop,
        "input": "mono, linear, -1 to 1, not normalised",
        "receptive_field_s": round(network.receptive_field / network.sample_rate, 3),
    }


def stream_figures(heard: Found) -> dict[str, Any]:
    """How much of what was planted in streams was found, for a card."""
    return {
        "planted": heard.planted,
        "recall": round(heard.recall, 4),
        "precision": round(heard.precision, 4),
        "onset_within_s": 0.5,
    }
