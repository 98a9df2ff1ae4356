"""How good an action network is: on made-up scenes, on the stream itself, and as spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.action import ActionNetwork
from models.frame_cnn import FrameCNN
from models.sequence import SequenceHead
from models.training.action_data import HEIGHT, RATE_HZ, WIDTH, Part, drawn
from models.training.motion import LABELS, UNCLEAR, label_motion
from models.training.stage import Picture, Stage, make_stage

Labels = NDArray[np.int64]
Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Marks:
    """Macro F1 over the labels that occur, accuracy, F1 of each, and rows of truth by guess."""

    macro_f1: float
    accuracy: float
    f1: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]


def mark(truth: Labels, guess: Labels) -> Marks:
    """How well `guess` fits `truth`, unclear steps left out; ValueError if none is left."""
    clear = truth != UNCLEAR
    if not clear.any():
        message = "no step has a clear label; there is nothing to measure"
        raise ValueError(message)
    table = np.zeros((len(LABELS), len(LABELS)), dtype=np.int64)
    np.add.at(table, (truth[clear], guess[clear]), 1)
    right = table.diagonal()
    f1 = 2 * right / np.maximum(table.sum(0) + table.sum(1), 1)
    occurs = table.sum(1) > 0
    return Marks(
        round(float(f1[occurs].mean()), 3),
        round(float(right.sum() / table.sum()), 3),
        {LABELS[n]: round(float(f1[n]), 3) for n in np.flatnonzero(occurs)},
        tuple(tuple(int(count) for count in row) for row in table),
    )


def majority(truth: Labels) -> Labels:
    """The most frequent clear label of `truth`, everywhere."""
    return np.full_like(truth, np.bincount(truth[truth != UNCLEAR]).argmax())


@torch.inference_mode()
def scores(head: SequenceHead, features: Tensor) -> Scores:
    """(N, T, classes) that sum to 1, for features (N, T, F)."""
    rows = [head(part.float()).softmax(-1) for part in torch.split(features, 50)]
    answer: Scores = torch.cat(rows).numpy()
    return answer


@torch.inference_mode()
def watch(
    network: ActionNetwork, pictures: Iterable[Picture], classes: int = len(LABELS)
) -> Scores:
    """(T, classes) scores of one stream, frame by frame as a lane would ask for them."""
    state = network.initial_state(1)
    rows = [np.zeros((0, classes), dtype=np.float32)]
    for picture in pictures:
        logits, state = network.step(network.features(picture[None]), state)
        rows.append(logits.softmax(-1).numpy())
    return np.concatenate(rows)


def tracked_truth(coco: dict[str, Any], indices: range, stage: Stage, rate_hz: float) -> Labels:
    """The label at every frame of `indices` by rule from tracks: a weak truth of a real stream.

    Tracks break and feet are the bottoms of masks, so single steps may be wrong.
    """
    tracks = sorted({a["track_id"] for a in coco["annotations"] if a.get("track_id") is not None})
    column = {track: number for number, track in enumerate(tracks)}
    row = {index: number for number, index in enumerate(indices)}
    feet = np.full((len(indices), max(1, len(tracks)), 2), np.nan)
    for annotation in coco["annotations"]:
        if annotation["image_id"] in row and annotation.get("track_id") in column:
            left, top, wide, high = annotation["bbox"]
            place = row[annotation["image_id"]], column[annotation["track_id"]]
            feet[place] = left + wide / 2, top + high
    return label_motion(feet, stage.height_at(feet[..., 1]), rate_hz)


def tune_spans(truth: Labels, given: Scores, rate_hz: float) -> dict[str, float]:
    """The smoothing and hysteresis that fit `truth` (N, T) best, for a card's `postprocessing`.

    Tried out as the lane does it: a causal running mean, then a label opens at `on` and closes
    below `off`. The measure is the mean F1 of the labels over clear steps.
    """
    best, chosen = -1.0, (0.0, 0.0, 0.0)
    for smooth_s, on, off in product((0.2, 0.6, 1.0), (0.45, 0.55, 0.65), (0.25, 0.35, 0.45)):
        if off > on:
            continue
        active = _active(_smoothed(given, max(1, round(smooth_s * rate_hz))), on, off)
        value = _span_f1(truth, active)
        if value > best:
            best, chosen = value, (smooth_s, on, off)
    smooth_s, on, off = chosen
    return {"smooth_s": smooth_s, "on": on, "off": off, "min_s": 0.6, "merge_s": 0.4}


def measure(
    cnn: FrameCNN, heads: Mapping[str, SequenceHead], part: Part, scenes: int, seed: int
) -> dict[str, Any]:
    """Held-out figures of every head and of the majority class, on made-up and real frames."""
    stage = make_stage(part.frames(), part.coco, part.background)
    lessons = drawn(cnn, stage, max(1, scenes), seed)
    truth = lessons.labels.numpy()
    stride = max(1, round(part.frame_rate_hz / RATE_HZ))
    real_truth = tracked_truth(part.coco, part.indices, stage, part.frame_rate_hz)[::stride]
    made: dict[str, Marks] = {"majority": mark(truth, majority(truth))}
    real: dict[str, Marks] = {"majority": mark(real_truth, majority(real_truth))}
    for name, head in heads.items():
        made[name] = mark(truth, scores(head, lessons.features).argmax(-1))
        network = ActionNetwork(cnn, head).eval()
        real[name] = mark(real_truth, watch(network, _small(part, stride)).argmax(-1))
    return {
        "scenes": len(truth),
        "clear_steps": int((truth != UNCLEAR).sum()),
        "made_up": {name: asdict(marks) for name, marks in made.items()},
        "real_clear_steps": int((real_truth != UNCLEAR).sum()),
        "real_against_tracks": {name: asdict(marks) for name, marks in real.items()},
    }


def _small(part: Part, stride: int) -> Iterator[Picture]:
    """The frames of the part that a lane would sample, at the network's size."""
    for index, frame in part.frames():
        if index in part.indices and (index - part.indices.start) % stride == 0:
            small = cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            yield small.astype(np.uint8)


def _smoothed(given: Scores, steps: int) -> NDArray[np.float64]:
    total = np.cumsum(given, axis=1, dtype=np.float64)
    before = np.concatenate([np.zeros_like(total[:, :steps]), total[:, :-steps]], 1)
    length = np.minimum(np.arange(given.shape[1]) + 1, steps)
    mean: NDArray[np.float64] = (total - before[:, : total.shape[1]]) / length[None, :, None]
    return mean


def _active(smoothed: NDArray[np.float64], on: float, off: float) -> NDArray[np.bool_]:
    active = np.zeros(smoothed.shape, dtype=bool)
    held = np.zeros(smoothed[:, 0].shape, dtype=bool)
    for step in range(smoothed.shape[1]):
        held = np.where(held, smoothed[:, step] >= off, smoothed[:, step] >= on)
        active[:, step] = held
    return active


def _span_f1(truth: Labels, active: NDArray[np.bool_]) -> float:
    clear = truth != UNCLEAR
    wanted = np.eye(len(LABELS), dtype=bool)[truth[clear]]
    found = active[clear]
    both = (wanted & found).sum(0)
    f1 = 2 * both / np.maximum(wanted.sum(0) + found.sum(0), 1)
    return float(f1[wanted.any(0)].mean())
