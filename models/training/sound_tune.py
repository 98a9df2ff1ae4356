"""The rules that turn what a sound network says of each hop into events, chosen on made streams."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.training.sound_data import Sound
from models.training.sound_events import Found, Postprocessing, events, match
from models.training.sound_mix import Mixer, Planted
from models.training.sound_task import Task
from models.wavenet import WaveNet

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
