"""How the sound network is judged: excerpts of held-out files, and the figures over them.

The network and the floor name the same excerpts, all at one level.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.class_scores import ClassScores, class_scores
from models.training.sound_data import Samples, Sound
from models.training.sound_floor import balanced_accuracy, fit_floor, predict_floor
from models.wavenet import WaveNet

EXCERPT_S, LEAD_S, EXCERPTS_PER_LABEL = 2.0, 0.5, 100


@dataclass(frozen=True, slots=True)
class Excerpt:
    """At most two seconds of one file, at one level, and its label."""

    label: str
    samples: Samples


def excerpts(sounds: Mapping[Sound, NDArray[np.int16]], sample_rate: int) -> list[Excerpt]:
    """The excerpts that a split is judged on: at most `EXCERPTS_PER_LABEL` of a label.

    Short labels keep every file; files of three seconds and more give up to four excerpts, spread
    over the file. The level is the same for all, so that no package is known by its level.
    """
    length = round(EXCERPT_S * sample_rate)
    parts: dict[str, list[list[Samples]]] = {}
    for sound, ints in sounds.items():
        count = 4 if len(ints) >= 1.5 * length else 1
        starts = np.linspace(0, max(0, len(ints) - length), count).astype(int)
        cut = [_levelled(np.asarray(ints[at : at + length], np.float32)) for at in starts]
        parts.setdefault(sound.label, []).append(cut)
    chosen = []
    for label, files in sorted(parts.items()):
        rounds = itertools.zip_longest(*_spread(files, EXCERPTS_PER_LABEL))
        flat = [samples for one in rounds for samples in one if samples is not None]
        chosen += [Excerpt(label, samples) for samples in flat[:EXCERPTS_PER_LABEL]]
    return chosen


def _spread(files: list[list[Samples]], most: int) -> list[list[Samples]]:
    """At most `most` files, evenly spread over the list."""
    if len(files) <= most:
        return files
    return [files[i] for i in np.linspace(0, len(files) - 1, most).astype(int)]


def _levelled(samples: Samples) -> Samples:
    """`samples` with an rms of 0.05 and no peak above 1."""
    rms = np.sqrt(np.square(samples, dtype=np.float64).mean())
    gain = min(0.05 / max(rms, 1e-9), 1 / np.abs(samples).max())
    levelled: Samples = (samples * gain).astype(np.float32)
    return levelled


@torch.inference_mode()
def name_excerpts(network: WaveNet, labels: Sequence[str], given: Sequence[Excerpt]) -> list[str]:
    """The network's label for every excerpt: the mean of its logits while the excerpt sounds.

    Labels that the task's excerpts do not have (the background of `six`) cannot be said.
    """
    hop = network.hop
    lead = round(LEAD_S * network.sample_rate) // hop * hop
    allowed = sorted({excerpt.label for excerpt in given})
    columns = [list(labels).index(label) for label in allowed]
    said = []
    for excerpt in given:
        hops = max(3, -(-len(excerpt.samples) // hop))
        padded = np.pad(excerpt.samples, (lead, hops * hop - len(excerpt.samples)))
        logits = network(torch.from_numpy(padded)[None, None])[0, lead // hop :]
        said.append(allowed[int(logits.log_softmax(-1).mean(0)[columns].argmax())])
    return said


def judge(truth: Sequence[str], said: Sequence[str]) -> dict[str, Any]:
    """Accuracy, balanced accuracy and confusion (true label -> said label -> count)."""
    names = sorted(set(truth))
    pairs = list(zip(truth, said, strict=True))
    return {
        "excerpts": len(pairs),
        "accuracy": round(sum(t == s for t, s in pairs) / len(pairs), 4),
        "balanced_accuracy": round(balanced_accuracy(truth, said), 4),
        "confusion": {t: {s: pairs.count((t, s)) for s in names} for t in names},
    }


def judge_floor(
    train: Mapping[Sound, NDArray[np.int16]],
    validation: Mapping[Sound, NDArray[np.int16]],
    test: Mapping[Sound, NDArray[np.int16]],
    sample_rate: int,
    seed: int,
) -> dict[str, Any]:
    """The floor's figures on the test excerpts, after fitting it on the train excerpts."""
    parts = [excerpts(sounds, sample_rate) for sounds in (train, validation, test)]
    samples = [[excerpt.samples for excerpt in part] for part in parts]
    labels = [[excerpt.label for excerpt in part] for part in parts]
    model = fit_floor(samples[0], labels[0], samples[1], labels[1], sample_rate, seed)
    return judge(labels[2], predict_floor(model, samples[2], sample_rate))


def spread(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and range over the seeds of accuracy and balanced accuracy."""
    out: dict[str, Any] = {"seeds": len(figures)}
    for name in ("accuracy", "balanced_accuracy"):
        values = [figure[name] for figure in figures]
        out[name] = round(float(np.mean(values)), 4)
        out[f"{name}_range"] = [min(values), max(values)]
    return out


def score_sounds(
    network: WaveNet, labels: Sequence[str], sounds: Mapping[Sound, NDArray[np.int16]]
) -> ClassScores:
    """How the network names excerpts of at most two seconds, all at one level."""
    given = excerpts(sounds, network.sample_rate)
    said = name_excerpts(network, labels, given)
    return class_scores(labels, [excerpt.label for excerpt in given], said)
