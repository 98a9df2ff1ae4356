"""What the action network learns from: pictures with people in them, and scenes with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.frame_cnn import FrameCNN
from models.training.scenes import Look, Scene, SceneMaker
from models.training.stage import Picture, Stage

WIDTH, HEIGHT, RATE_HZ = 160, 120, 5.0
STEPS_IN_SCENE = 30
CNN: dict[str, Any] = {"name": "tiny", "width": WIDTH, "height": HEIGHT, "grid_channels": 2}
GRID = (2, HEIGHT // 8, WIDTH // 8)
SETTLED = 10  # steps until two seconds are seen


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a stream of a fixed camera: its frames, its labels, its empty background.

    `frames` starts anew at every call and gives (index, RGB); `coco` holds boxes and RLE masks with
    `track_id`, image ids being those indices; `indices` are the frames that belong to the part.
    """

    frames: Callable[[], Iterable[tuple[int, Picture]]]
    coco: dict[str, Any]
    background: Picture
    indices: range
    frame_rate_hz: float = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, twice the network's size, with the feet (n, 2) and heights (n,) of its people.

    Both are in 0..1 of the picture.
    """

    picture: Picture
    feet: NDArray[np.float64]
    heights: NDArray[np.float64]


def real_pictures(
    frames: Iterable[tuple[int, Picture]], coco: dict[str, Any], every: int = 3
) -> list[Seen]:
    """Labelled frames of the stream itself, so that the CNN has seen more than made-up scenes."""
    boxes: dict[int, list[list[float]]] = {}
    for annotation in coco["annotations"]:
        boxes.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    seen = []
    for index, frame in frames:
        if index % every:
            continue
        high, wide = frame.shape[:2]
        box = np.array(boxes.get(index, []), dtype=np.float64).reshape(-1, 4)
        feet = np.stack([(box[:, 0] + box[:, 2] / 2) / wide, (box[:, 1] + box[:, 3]) / high], -1)
        double = cv2.resize(frame, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_AREA)
        seen.append(Seen(double.astype(np.uint8), feet, box[:, 3] / high))
    return seen


def presence(feet: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 2, h, w) in 0..1 of feet (T, N, 2) and heights (T, N): where feet are, and middles.

    Each is spread over about a cell, so that a move by part of a cell shows.
    """
    _, high, wide = GRID
    y = np.stack([feet[..., 1] - 0.06 * heights, feet[..., 1] - heights / 2], 1)  # T, 2, N
    rows = np.exp(-((np.arange(high) + 0.5 - y[..., None] * high) ** 2) / 0.72)
    columns = np.exp(-((np.arange(wide) + 0.5 - feet[..., :1] * wide) ** 2) / 0.72)
    each = np.nan_to_num(rows[..., None] * columns[:, None, :, None])  # T, 2, N, h, w
    shown: NDArray[np.float32] = each.max(2, initial=0).astype(np.float32)
    return shown


def single_pictures(
    stage: Stage, real: Sequence[Seen], batch: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end of (B, H, W, 3) pictures and their presence (B, 2, h, w)."""
    maker = _maker(stage, seed + 1)
    rng = np.random.default_rng(seed)
    while True:
        pictures: list[Picture] = []
        targets: list[NDArray[np.float32]] = []
        while len(pictures) < batch:
            if real and rng.random() < 0.3:
                one = real[int(rng.integers(len(real)))]
                look = Look(rng, (WIDTH, HEIGHT))
                pictures.append(look((one.picture / 255).astype(np.float32)))
                targets.append(presence(one.feet[None], one.heights[None])[0])
                continue
            scene = maker.scene(1)
            pictures.append(scene.pictures[0])
            targets.append(presence(scene.feet[:1], scene.heights[:1])[0])
        yield torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(targets))


def _maker(stage: Stage, seed: int) -> SceneMaker:
    return SceneMaker(stage, width=WIDTH, height=HEIGHT, rate_hz=RATE_HZ, seed=seed)


def drift(feet: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 3, h, w): how people in each cell moved, right and down, and where that is known (0..1).

    In heights per second over the last second, from feet (T, N, 2) and heights (T, N).
    """
    back = round(RATE_HZ)
    then = np.concatenate([feet[:1].repeat(back, 0), feet[:-back]])[: len(feet)]
    shape = np.array([HEIGHT / WIDTH, 1.0])  # both were in shares of the picture
    speed = (feet - then) / heights[..., None] / shape
    speed[:back] = np.nan
    known = ~np.isnan(speed[..., 0])
    _, high, wide = GRID
    y = feet[..., 1] - 0.06 * heights
    rows = np.exp(-((np.arange(high) + 0.5 - y[..., None] * high) ** 2) / 0.72)
    columns = np.exp(-((np.arange(wide) + 0.5 - feet[..., :1] * wide) ** 2) / 0.72)
    each = np.nan_to_num(rows[..., None] * columns[..., None, :]) * known[..., None, None]
    total = each.sum(1)
    mean = (
        np.einsum("tnhw,tnd->tdhw", each, np.nan_to_num(speed)) / np.maximum(total, 1e-3)[:, None]
    )
    return np.concatenate([mean, np.minimum(total, 1)[:, None]], 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Scenes as a head sees them, all of one length.

    `features` (N, T, F) half precision, `labels` (N, T) with -1 where unclear, `drifts`
    (N, T, 3, h, w) half precision.
    """

    features: Tensor
    labels: Tensor
    drifts: Tensor


def imagined(stage: Stage, count: int, seed: int) -> Lessons:
    """Scenes seen by a perfect frame CNN; nothing is drawn, so there can be many."""
    maker = _maker(stage, seed)
    scenes = [maker.motion(STEPS_IN_SCENE) for _ in range(count)]
    seen = [presence(scene.feet, scene.heights).reshape(STEPS_IN_SCENE, -1) for scene in scenes]
    return _lessons(scenes, [torch.from_numpy(one) for one in seen])


@torch.inference_mode()
def drawn(cnn: FrameCNN, stage: Stage, count: int, seed: int) -> Lessons:
    """Scenes drawn as pictures and seen by the frame CNN."""
    maker = _maker(stage, seed)
    scenes, seen = [], []
    for _ in range(count):
        scene = maker.scene(STEPS_IN_SCENE)
        pictures = torch.from_numpy(scene.pictures).permute(0, 3, 1, 2)
        seen.append(cnn(pictures.float() / 255))
        scenes.append(scene)
    return _lessons(scenes, seen)


def _lessons(scenes: Sequence[Scene], seen: Sequence[Tensor]) -> Lessons:
    return Lessons(
        torch.stack([one.half() for one in seen]),
        torch.stack([torch.from_numpy(scene.labels) for scene in scenes]),
        torch.stack([torch.from_numpy(drift(s.feet, s.heights)).half() for s in scenes]),
    )
