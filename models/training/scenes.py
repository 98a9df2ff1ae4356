"""Made-up street scenes with known motion: people cut out of a stream, walking where we say.

A fixed camera gives an empty background and, with labelled masks, people to cut out. A scene puts
some of them on the background and moves them over the ground; since the paths are known, so is
what is going on. Cut-outs of one person are consecutive, so the gait is real. Half of all scenes
are played backwards, so that the way people face says nothing of the way they go: left and right
can then be told apart only by order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.motion import FORESHORTENING, label_motion
from models.training.stage import Floats, Picture, Stage

SCRIPTS = {  # how often; people who gather or part also fill the directions
    "empty": 0.08,
    "stand": 0.14,
    "left": 0.1,
    "right": 0.1,
    "both": 0.18,
    "gather": 0.17,
    "part": 0.17,
    "wander": 0.06,
}
_STEPPING = 0.08  # heights in two steps: below, the legs stand still
_POOL = 24  # rows and columns by which the pool of noise is larger than a picture


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures of one scene, in order, its label at every step (-1: unclear), and the feet.

    `pictures` (T, H, W, 3) RGB, `labels` (T,), `feet` (T, N, 2) and `heights` (T, N) in 0..1 of
    the picture, NaN while a person is out of view.
    """

    pictures: Picture
    labels: NDArray[np.int64]
    feet: NDArray[np.float64]
    heights: NDArray[np.float64]


class SceneMaker:
    """Makes random scenes of one stage at one picture size; the same seed makes the same scenes."""

    def __init__(self, stage: Stage, *, width: int, height: int, rate_hz: float, seed: int) -> None:
        self._stage = stage
        self._size = (width, height)
        self._rate_hz = rate_hz
        self._stride = max(1, round(stage.frame_rate_hz / rate_hz))
        self._rng = np.random.default_rng(seed)
        double = cv2.resize(stage.background, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
        self._canvas: Floats = (double / 255).astype(np.float32)

    def _feet(self, steps: int, script: str | None) -> NDArray[np.float64]:
        """(T, N, 2) feet in background pixels, of one script or of two, one after the other."""
        rng = self._rng
        names, often = list(SCRIPTS), list(SCRIPTS.values())
        first = script or str(rng.choice(names, p=often))
        second = first if script or rng.random() < 0.5 else str(rng.choice(names[1:]))
        alone = first in {"stand", "left", "right", "wander"}
        count = 0 if first == "empty" else int(rng.integers(1 if alone else 2, 10))
        return self._paths(count, steps, first, second)

    def motion(self, steps: int, script: str | None = None) -> Scene:
        """A scene without pictures, which is fifty times faster to make."""
        return self._told(self._feet(steps, script), None)

    def scene(self, steps: int, script: str | None = None) -> Scene:
        """A scene of `steps` pictures; it follows one script, or changes once on the way."""
        feet = self._feet(steps, script)
        return self._told(feet, self._draw(feet))

    def _told(self, feet: NDArray[np.float64], pictures: Picture | None) -> Scene:
        """The scene, forwards or backwards, with its labels."""
        if self._rng.random() < 0.5:
            feet = feet[::-1]
            pictures = None if pictures is None else np.ascontiguousarray(pictures[::-1])
        height, width = self._stage.background.shape[:2]
        seen = (feet[..., 0] > 0) & (feet[..., 0] < width) & (feet[..., 1] < height + 20)
        visible = np.where(seen[..., None], feet, np.nan)
        heights = self._stage.height_at(visible[..., 1])
        labels = label_motion(visible, heights, self._rate_hz)
        if pictures is None:
            pictures = np.empty((0, *self._size[::-1], 3), dtype=np.uint8)
        return Scene(pictures, labels, visible / (width, height), heights / height)

    def _paths(self, count: int, steps: int, first: str, second: str) -> NDArray[np.float64]:
        """(T, N, 2) feet in background pixels."""
        rng, stage = self._rng, self._stage
        width = stage.background.shape[1]
        outside = -0.1 if first in {"gather", "part"} else 0.1
        feet = np.stack(
            [
                rng.uniform(-outside * width, (1 + outside) * width, count),
                rng.uniform(stage.top, stage.bottom, count),
            ],
            -1,
        )
        if rng.random() < 0.3:  # a group, as friends walk
            feet[: count // 2] = feet[:1] + rng.normal(0, 40, (count // 2, 2)) * (1, FORESHORTENING)
        change = int(rng.integers(steps // 4, 3 * steps // 4 + 1))
        path = np.empty((steps, count, 2))
        going = self._going(first, feet)
        for step in range(steps):
            if step == change and second != first:
                going = self._going(second, feet)
            path[step] = feet
            feet = feet + self._move(going, feet)
        return path

    def _going(self, script: str, feet: NDArray[np.float64]) -> dict[str, Any]:
        """Who goes where: a heading and a speed each, or a point that all go to or come from."""
        rng, count = self._rng, len(feet)
        speed = rng.uniform(0.4, 1.1, count)
        heading = rng.uniform(0, 2 * np.pi, count)
        if script in {"left", "right", "both"}:
            heading = rng.uniform(-0.9, 0.9, count)
            leftward = np.full(count, script == "left")
            if script == "both":
                leftward = rng.permutation(np.arange(count) % 2 == 0)
            heading = np.where(leftward, np.pi - heading, heading)
        if script == "stand" or script == "empty":
            speed = speed * 0
        elif rng.random() < 0.3:  # some only look on
            speed = np.where(rng.random(count) < 0.25, 0.0, speed)
        width = self._stage.background.shape[1]
        target = feet.mean(0) if count else np.zeros(2)
        if script == "gather":
            target = target + rng.normal(0, 0.08 * width, 2) * (1, FORESHORTENING)
        return {"script": script, "speed": speed, "heading": heading, "target": target}

    def _move(self, going: dict[str, Any], feet: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the feet go in one step, in background pixels."""
        tall = self._stage.height_at(feet[:, 1])
        ground = np.stack([np.cos(going["heading"]), np.sin(going["heading"])], -1)
        if going["script"] in {"gather", "part"}:
            away = (feet - going["target"]) / (1, FORESHORTENING)
            distance = np.hypot(*away.T)[:, None]
            ground = away / np.maximum(distance, 1e-6)
            if going["script"] == "gather":
                ground = -ground * np.minimum(1, distance / (0.9 * tall[:, None]) - 0.6).clip(0)
        step: NDArray[np.float64] = ground * (going["speed"] * tall / self._rate_hz)[:, None]
        step = step + self._rng.normal(0, 0.006, step.shape) * tall[:, None]
        moved = step * (1, FORESHORTENING)
        low, high = self._stage.top, self._stage.bottom
        moved[:, 1] = np.clip(feet[:, 1] + moved[:, 1], low, high) - feet[:, 1]
        return moved

    def _draw(self, feet: NDArray[np.float64]) -> Picture:
        """(T, H, W, 3) pictures of people at `feet`, the nearer in front of the farther."""
        rng = self._rng
        steps, count = feet.shape[:2]
        cast = [
            self._stage.walkers[n] for n in rng.integers(len(self._stage.walkers), size=(count,))
        ]
        starts = [int(rng.integers(len(walker.cutouts))) for walker in cast]
        mirrored: NDArray[np.bool_] = np.less(rng.random(count), 0.5)
        tall = rng.uniform(0.9, 1.1, (count,))
        tint: Floats = rng.uniform(0.75, 1.25, (count, 3)).astype(np.float32)
        look = Look(rng, self._size)
        pictures = np.empty((steps, self._size[1], self._size[0], 3), dtype=np.uint8)
        ages = np.array(starts, dtype=np.int64)
        for step in range(steps):
            canvas = self._canvas.copy()
            gone = feet[min(step + 1, steps - 1)] - feet[max(step - 1, 0)]
            for person in map(int, np.argsort(feet[step, :, 1])):
                walker = cast[person]
                if walker.facing and abs(gone[person, 0]) > 1:
                    mirrored[person] = walker.facing != np.sign(gone[person, 0])
                rgba = walker.cutouts[_to_and_fro(int(ages[person]), len(walker.cutouts))].rgba
                rgba = rgba[:, ::-1] if mirrored[person] else rgba
                self._paste(canvas, rgba, feet[step, person], float(tall[person]), tint[person])
            # Legs go only when the person does.
            far = _STEPPING * self._stage.height_at(feet[step, :, 1])
            ages += self._stride * (np.hypot(gone[:, 0], gone[:, 1] / FORESHORTENING) > far)
            pictures[step] = look(canvas)
        return pictures

    def _paste(
        self,
        canvas: Floats,
        rgba: Floats,
        foot: NDArray[np.float64],
        taller: float,
        tint: Floats,
    ) -> None:
        """Blends a cut-out into the canvas, in place, with its foot exactly at `foot`."""
        stage = self._stage
        scale = np.array(canvas.shape[1::-1]) / stage.background.shape[1::-1]
        high = float(stage.height_at(foot[1:])[0]) * taller * scale[1]
        zoom = high / rgba.shape[0]
        wide = zoom * rgba.shape[1]
        left, top = foot[0] * scale[0] - wide / 2, foot[1] * scale[1] - high
        x0, y0 = max(0, int(left) - 1), max(0, int(top) - 1)
        x1 = min(canvas.shape[1], int(left + wide) + 2)
        y1 = min(canvas.shape[0], int(top + high) + 2)
        if x1 <= x0 or y1 <= y0:
            return
        matrix = np.array([[zoom, 0, left - x0], [0, zoom, top - y0]])
        patch = cv2.warpAffine(np.ascontiguousarray(rgba), matrix, (x1 - x0, y1 - y0))
        part = canvas[y0:y1, x0:x1]
        part *= 1 - patch[..., 3:]
        part += patch[..., :3] * tint


class Look:
    """How one scene's camera renders: framing, brightness, contrast, colour, sharpness, noise."""

    def __init__(self, rng: np.random.Generator, size: tuple[int, int]) -> None:
        width, height = size
        self._rng = rng
        self._size = size
        self._shrink = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        self._shift = np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
        self._gain = (rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)).astype(np.float32)
        self._lift = np.float32(rng.uniform(-0.06, 0.06))
        shape = (height + _POOL, width + _POOL, 3)
        self._pool = rng.standard_normal(shape, dtype=np.float32) * rng.uniform(0.003, 0.02)

    def __call__(self, canvas: Floats) -> Picture:
        """The canvas, RGB in 0..1 and twice the size, as this camera would give it."""
        width, height = self._size
        moved = cv2.warpAffine(
            canvas, self._shift, canvas.shape[1::-1], borderMode=cv2.BORDER_REFLECT
        )
        picture = cv2.resize(moved, self._size, interpolation=self._shrink)
        down, right = self._rng.integers(0, _POOL, 2)
        grain = self._pool[down : down + height, right : right + width]
        seen = picture * self._gain + (grain.astype(np.float32) + self._lift)
        return (np.clip(seen, 0, 1) * 255 + 0.5).astype(np.uint8)


def _to_and_fro(age: int, length: int) -> int:
    """0, 1, ... length-1, ..., 1, 0, 1: a short run of cut-outs without a jump at its end."""
    turn = age % max(1, 2 * (length - 1))
    return turn if turn < length else 2 * (length - 1) - turn
