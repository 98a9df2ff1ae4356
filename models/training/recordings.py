"""Recordings of one's own as the sound recipe wants them, and streams of them to judge by."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.dataset import Example
from models.training.sound_data import Samples, Sound
from models.training.sound_events import Found, Postprocessing, events, match
from models.training.sound_mix import Mixer, Planted
from models.wavenet import WaveNet

Ints = NDArray[np.int16]
Listen = Callable[[Example, int], Samples]
Heard = list[tuple[NDArray[np.floating], list[Planted]]]

SHORTEST_S = 0.04


@dataclass(frozen=True, slots=True)
class Recordings:
    """Samples by example, and why others have none."""

    samples: dict[Example, Ints]
    unreadable: dict[Example, str] = field(default_factory=dict)


def load_sounds(examples: Sequence[Example], listen: Listen, sample_rate: int) -> Recordings:
    """The samples of every example without the silence at both ends; reasons for the others."""
    found = Recordings({})
    for example in examples:
        try:
            samples = listen(example, sample_rate)
        except Exception as error:  # whatever the injected decoder raises
            found.unreadable[example] = str(error)
            continue
        if len(samples) < SHORTEST_S * sample_rate:
            found.unreadable[example] = (
                f"{len(samples)} sample(s) at {sample_rate} Hz; {SHORTEST_S:g} s are needed"
            )
            continue
        sounding = trimmed(samples, sample_rate)
        if not len(sounding):
            found.unreadable[example] = "it is silent from start to end"
            continue
        found.samples[example] = (np.clip(sounding, -1, 1) * 32767).astype(np.int16)
    return found


def trimmed(samples: Samples, sample_rate: int) -> Samples:
    """`samples` without the ends that are 40 dB below the loudest 20 ms; empty when silent."""
    step = sample_rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power > max(power.max(initial=0.0) * 1e-4, 1e-9))
    if not len(loud):
        return samples[:0]
    return samples[loud[0] * step : (loud[-1] + 1) * step]


def as_sounds(examples: Sequence[Example], recordings: Recordings) -> dict[Sound, Ints]:
    """The samples of these examples as a mixer takes them; all are of one family."""
    return {
        Sound("own", f"{one.path}#{one.start_s}-{one.end_s}", one.label, "own", ""): samples
        for one in examples
        if (samples := recordings.samples.get(one)) is not None
    }


@torch.inference_mode()
def hear(
    network: WaveNet,
    labels: Sequence[str],
    sounds: Mapping[Sound, Ints],
    streams: int,
    stream_s: float,
    seed: int,
) -> Heard:
    """Logits per hop, and what was planted, for streams mixed from the sounds."""
    present = {sound.label for sound in sounds}
    kept = [labels[0], *(label for label in labels[1:] if label in present)]
    mixer = Mixer(sounds, kept, network.sample_rate, network.hop, seed)
    mixed = [mixer.stream(stream_s) for _ in range(streams)]
    return [
        (network(torch.from_numpy(samples)[None, None])[0].numpy(), planted)
        for samples, planted in mixed
    ]


def find(heard: Heard, labels: Sequence[str], rules: Postprocessing) -> Found:
    """How many of the planted sounds are found under the given rules."""
    found = (match(events(logits, labels, 0.1, rules), truth) for logits, truth in heard)
    return sum(found, Found(0, 0, 0))


def tune(heard: Heard, labels: Sequence[str]) -> Postprocessing:
    """The rules that find best (F1) in what was heard."""
    grid = itertools.product((0.2, 0.4), (0.5, 0.6, 0.7, 0.8), (0.3, 0.4), (0.2, 0.3), (0.3,))
    return max((Postprocessing(*one) for one in grid), key=lambda one: find(heard, labels, one).f1)
