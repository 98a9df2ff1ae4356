"""The recipe for sounds of one's own: labelled recordings in, a streaming WaveNet out.

Recordings are mixed as those of the shipped network are: at any level and onset over a bed, so
that the network finds them in streams. Everything that is no label is `background`; a class of
that name gives recorded beds, otherwise they are synthetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from models.card import Card
from models.checkpoint import save
from models.training.dataset_split import Parts
from models.training.distil import Teacher
from models.training.label_loss import LabelLoss
from models.training.loop import TrainingLog
from models.training.mixed_round import GROUPS, Batch, MixedBatch, MixedRound
from models.training.parallel import Division
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
from models.training.sound_card import sound_preprocessing, stream_figures
from models.training.sound_data import Sound
from models.training.sound_mix import IGNORED, Mixer
from models.training.sound_recipes import SoundRecipe
from models.training.sound_score import score_sounds
from models.training.sound_teacher import ask_of, compared_sounds
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
    teacher: Teacher | None = None,
) -> Trained:
    """Trains, tunes, judges and writes `name` into the workplace.

    `about` says of the data what belongs on the card (`name`, `sha256`). TrainingError when the
    teacher has other labels or another rate.
    """
    labels = ("background", *(one for one in labels_of(parts["train"]) if one != "background"))
    cut = {split: as_sounds(parts[split], recordings) for split in parts}
    streams = (recipe.streams, recipe.stream_s)
    torch.manual_seed(settings.seed)
    network = WaveNet(**recipe.architecture(labels, settings))
    lesson = _Lesson(labels, cut["train"], cut["validation"], recipe, settings, teacher)
    log = lesson.fit(network, place, about)
    rules = tune(hear(network, labels, cut["validation"], *streams, seed=1), labels)
    test = score_sounds(network, labels, cut["test"])
    heard = find(hear(network, labels, cut["test"], *streams, seed=2), labels, rules)
    card = Card(
        name=name,
        network="wavenet",
        labels=labels,
        architecture=recipe.architecture(labels, settings),
        preprocessing=sound_preprocessing(network),
        summary=SUMMARY,
        licence="not stated",
        data=[{key: str(value) for key, value in about.items()}],
        split="by file content, or as the data says",
        heldout={"excerpts": test.to_json(), "streams": stream_figures(heard)},
        limits=list(LIMITS),
        training=about_training(settings, log, parts, teacher),
        postprocessing=asdict(rules),
    )
    path = place.out / f"{name}.safetensors"
    card = save(path, network.state_dict(), card)
    compared = () if teacher is None else compared_sounds(teacher, network, card, cut["test"], test)
    return Trained(card, path, log, test, compared)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What is learnt, and how: everything but the network and the place."""

    labels: Sequence[str]
    teach: Mapping[Sound, Ints]
    validation: Mapping[Sound, Ints]
    recipe: SoundRecipe
    settings: Settings
    teacher: Teacher | None

    def fit(self, network: WaveNet, place: Workplace, about: Mapping[str, Any]) -> TrainingLog:
        settings, count = self.settings, len(self.labels)
        weights = hop_weights(self.mixer(0), count, 50) if settings.class_weights else None
        softened = None if self.teacher is None else self.teacher.softened
        judge = LabelLoss(count, weights, IGNORED, settings.label_smoothing, softened)
        ask = ask_of(self.teacher, self.labels, network)

        def loss(student: nn.Module, batch: Batch) -> Tensor:
            return judge(student(batch[0]), batch[1], ask(batch[0]))

        def score(judged: nn.Module) -> float:
            assert isinstance(judged, WaveNet)
            return score_sounds(judged, self.labels, self.validation).balanced_accuracy

        identity = {**about, "architecture": self.recipe.architecture(self.labels, settings)}
        if self.teacher is not None:
            identity["distilled"] = self.teacher.about()
        division: Division[MixedBatch, Batch] = Division(
            rows=len,
            part=MixedBatch.part,
            whole=lambda batch: batch.part(slice(None)),
            weight=lambda part: judge.weight(part[1]),
        )
        rounds = Rounds(self.batches, ROUND)
        title = "own sounds"
        return fit_own(network, rounds, loss, score, settings, place, identity, title, division)

    def mixer(self, number: int, group: int = 0) -> Mixer:
        rate, seed = self.recipe.sample_rate, 1_000_003 * self.settings.seed + number
        return Mixer(self.teach, self.labels, rate, rate // 10, seed * GROUPS + group, uses=4)

    def batches(self, number: int) -> Iterator[MixedBatch]:
        mixer = partial(self.mixer, number)
        return MixedRound(mixer, self.settings.batch, self.recipe.window_hops).batches()
