"""The recipe for sounds of one's own: labelled recordings in, a streaming WaveNet out.

Recordings are mixed as those of the shipped network are: at any level and onset over a bed, so
that the network finds them in streams. Everything that is no label is `background`; a class of
that name gives recorded beds, otherwise they are synthetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.card import Card
from models.checkpoint import save
from models.training.class_scores import ClassScores, class_scores
from models.training.dataset_split import Parts
from models.training.loop import TrainingLog
from models.training.recordings import Ints, Recordings, as_sounds, find, hear, tune
from models.training.settings import (
    Rounds,
    Settings,
    Trained,
    Workplace,
    about_training,
    fit_own,
    labels_of,
)
from models.training.sound import hop_weights
from models.training.sound_data import Sound
from models.training.sound_events import Found
from models.training.sound_mix import IGNORED, Mixer
from models.training.sound_recipes import SoundRecipe
from models.training.sound_score import excerpts, name_excerpts
from models.wavenet import WaveNet

ROUND = 50
SUMMARY = "Names sounds of its owner's in every tenth of a second; causal, for streams."
LIMITS = (
    "Trained on the owner's recordings, mixed over noise; how well it hears the owner's streams "
    "was not measured.",
    "One label at a time: of sounds that overlap, the louder is named.",
)


def train_own_sounds(
    parts: Parts,
    recordings: Recordings,
    recipe: SoundRecipe,
    settings: Settings,
    place: Workplace,
    about: Mapping[str, Any],
    name: str,
) -> Trained:
    """Trains, tunes, judges and writes `name` into the workplace.

    `about` says of the data what belongs on the card (`name`, `sha256`).
    """
    labels = ("background", *(one for one in labels_of(parts["train"]) if one != "background"))
    cut = {split: as_sounds(parts[split], recordings) for split in parts}
    streams = (recipe.streams, recipe.stream_s)
    torch.manual_seed(settings.seed)
    network = WaveNet(**recipe.architecture(labels, settings))
    log = _fit(network, labels, cut["train"], cut["validation"], recipe, settings, place, about)
    rules = tune(hear(network, labels, cut["validation"], *streams, seed=1), labels)
    test = score_sounds(network, labels, cut["test"])
    heard = find(hear(network, labels, cut["test"], *streams, seed=2), labels, rules)
    card = Card(
        name=name,
        network="wavenet",
        labels=labels,
        architecture=recipe.architecture(labels, settings),
        preprocessing=_preprocessing(network),
        summary=SUMMARY,
        licence="not stated",
        data=[{key: str(value) for key, value in about.items()}],
        split="by file content, or as the data says",
        heldout={"excerpts": test.to_json(), "streams": _streams(heard)},
        limits=list(LIMITS),
        training=about_training(settings, log, parts),
        postprocessing=asdict(rules),
    )
    path = place.out / f"{name}.safetensors"
    return Trained(save(path, network.state_dict(), card), path, log, test)


def _preprocessing(network: WaveNet) -> dict[str, Any]:
    return {
        "sample_rate": network.sample_rate,
        "hop": network.hop,
        "input": "mono, linear, -1 to 1, not normalised",
        "receptive_field_s": round(network.receptive_field / network.sample_rate, 3),
    }


def _streams(heard: Found) -> dict[str, Any]:
    return {
        "planted": heard.planted,
        "recall": round(heard.recall, 4),
        "precision": round(heard.precision, 4),
        "onset_within_s": 0.5,
    }


def _fit(
    network: WaveNet,
    labels: Sequence[str],
    teach: Mapping[Sound, Ints],
    validation: Mapping[Sound, Ints],
    recipe: SoundRecipe,
    settings: Settings,
    place: Workplace,
    about: Mapping[str, Any],
) -> TrainingLog:
    def mixer(number: int) -> Mixer:
        seed = 1_000_003 * settings.seed + number
        return Mixer(teach, labels, recipe.sample_rate, network.hop, seed, uses=4)

    def batches(number: int) -> Iterator[tuple[Tensor, Tensor]]:
        return mixer(number).batches(settings.batch, recipe.window_hops)

    weights = hop_weights(mixer(0), len(labels), 50) if settings.class_weights else None

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        logits = network(batch[0]).flatten(0, 1)
        return F.cross_entropy(
            logits,
            batch[1].flatten(),
            weights,
            ignore_index=IGNORED,
            label_smoothing=settings.label_smoothing,
        )

    def score(judged: nn.Module) -> float:
        assert isinstance(judged, WaveNet)
        return score_sounds(judged, labels, validation).balanced_accuracy

    identity = {**about, "architecture": recipe.architecture(labels, settings)}
    rounds = Rounds(batches, ROUND)
    return fit_own(network, rounds, loss, score, settings, place, identity, "own sounds")


def score_sounds(
    network: WaveNet, labels: Sequence[str], sounds: Mapping[Sound, Ints]
) -> ClassScores:
    """How the network names excerpts of at most two seconds, all at one level."""
    given = excerpts(sounds, network.sample_rate)
    said = name_excerpts(network, labels, given)
    return class_scores(labels, [excerpt.label for excerpt in given], said)
