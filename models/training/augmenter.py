"""Labelled pictures, cut, mixed and varied while an instances network learns from them.

A static scene has few frames that differ, so instances of other frames are pasted in, the empty
background sometimes stands in for the frame's own, and what moves but has no label is painted over
with it: a label that is missing must not teach that a person is background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.instance_data import SMALLEST_PX, Instance, Labelled, Mask, Picture

T = TypeVar("T")

Batch = tuple[Picture, list[dict[str, Tensor]]]

_CROP_PX = 256
_SEEN = 0.4  # what must be left of an instance behind another, or at the edge of a crop
_MOVED = 28  # grey levels: more, and the frame differs from the background


class Augmenter:
    """Makes training batches of crops; the same seed makes the same batches.

    Crops are `crop_px` by as many, of pictures that are made between `zoom` times as large.
    """

    def __init__(
        self,
        data: Sequence[Labelled],
        seed: int | Sequence[int],
        background: Picture | None = None,
        *,
        crop_px: int = _CROP_PX,
        zoom: tuple[float, float] = (0.8, 1.25),
    ) -> None:
        if not any(one.label for labelled in data for one in labelled.instances):
            message = "no picture has a label: nothing can be learnt"
            raise ValueError(message)
        self._data = data
        self._rng = np.random.default_rng(seed)
        self._background = background
        self._crop_px, self._zoom = crop_px, zoom

    def batches(self, size: int) -> Iterator[Batch]:
        """Pictures (B, H, W, 3) and torchvision targets, without end."""
        while True:
            made = [self.sample() for _ in range(size)]
            yield np.stack([picture for picture, _ in made]), [target for _, target in made]

    def sample(self) -> tuple[Picture, dict[str, Tensor]]:
        """One crop and its target."""
        chosen = self._one_of(self._data)
        canvas = self._repainted(chosen)
        height, width = canvas.shape[:2]
        whole = [(one.label, _placed(one, (height, width))) for one in chosen.instances]
        for _ in range(int(self._rng.choice(5, p=(0.25, 0.2, 0.25, 0.2, 0.1)))):
            self._paste(canvas, whole)
        matrix = self._view(width, height, [mask for label, mask in whole if label])
        side = (self._crop_px, self._crop_px)
        picture = cv2.warpAffine(canvas, matrix, side, borderMode=cv2.BORDER_REPLICATE)
        seen: list[tuple[int, NDArray[np.uint8]]] = []
        for label, mask in whole:
            shown = cv2.warpAffine(mask.view(np.uint8), matrix, side, flags=cv2.INTER_NEAREST)
            full = np.count_nonzero(mask) * abs(np.linalg.det(matrix[:, :2]))
            if label and np.count_nonzero(shown) >= max(SMALLEST_PX, _SEEN * full):
                seen.append((label, shown.astype(np.uint8)))
        return self._tinted(picture.astype(np.uint8)), _target(seen, self._crop_px)

    def _one_of(self, things: Sequence[T]) -> T:
        return things[int(self._rng.integers(len(things)))]

    def _repainted(self, chosen: Labelled) -> Picture:
        """The frame, or its people over the empty background, without what has no label."""
        canvas = chosen.picture.copy()
        things = [one for one in chosen.instances if one.label]
        if self._background is None:
            for crowd in chosen.instances:
                if crowd.label == 0:
                    place = _window(crowd)
                    canvas[place][crowd.mask] = canvas.mean((0, 1)).astype(np.uint8)
            return canvas
        labelled = np.zeros(canvas.shape[:2], np.uint8)
        for one in things:
            labelled[_window(one)] |= one.mask
        near = cv2.dilate(labelled, np.ones((5, 5), np.uint8)).astype(bool)
        if self._rng.random() < 0.25:
            cv2.copyTo(self._background, (~near).view(np.uint8), canvas)
            return canvas
        first, second, third = cv2.split(cv2.absdiff(canvas, self._background))
        moved = np.asarray(cv2.max(cv2.max(first, second), third)) > _MOVED
        unexplained = cv2.morphologyEx(
            (moved & ~near).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
        )
        unexplained = cv2.dilate(unexplained, np.ones((7, 7), np.uint8)).astype(bool) & ~near
        cv2.copyTo(self._background, unexplained.view(np.uint8), canvas)
        return canvas

    def _paste(self, canvas: Picture, whole: list[tuple[int, Mask]]) -> None:
        """Puts an instance of another frame somewhere near where it stood, over what is there."""
        donor = self._one_of(self._data)
        things = [one for one in donor.instances if one.label]
        if not things:
            return
        thing = self._one_of(things)
        pixels, mask = donor.picture[_window(thing)], thing.mask
        if self._rng.random() < 0.5:
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        height, width = canvas.shape[:2]
        high, wide = mask.shape
        if high > height or wide > width:  # of a larger picture
            return
        # Sideways anywhere, up and down a little: a camera sees far things small and high up.
        left = int(self._rng.integers(0, max(1, width - wide)))
        top = int(np.clip(thing.top + self._rng.normal(0, 0.06 * height), 0, height - high))
        place = np.s_[top : top + high, left : left + wide]
        canvas[place][mask] = pixels[mask]
        behind = list(whole)
        whole.clear()
        for label, other in behind:
            before = np.count_nonzero(other)
            other[place] &= ~mask
            if np.count_nonzero(other) >= max(1, _SEEN / 2 * before):
                whole.append((label, other))
        pasted = np.zeros((height, width), np.bool_)
        pasted[place] = mask
        whole.append((thing.label, pasted))

    def _view(self, width: int, height: int, masks: Sequence[Mask]) -> NDArray[np.float64]:
        """The affine map from the canvas to the crop: scale, place and, half the time, mirror."""
        scale = float(np.exp(self._rng.uniform(*np.log(self._zoom))))
        side = self._crop_px / scale
        x, y = self._rng.uniform(0, width), self._rng.uniform(0, height)
        if masks and self._rng.random() < 0.7:
            left, top, wide, high = cv2.boundingRect(self._one_of(masks).view(np.uint8))
            x = left + wide / 2 + self._rng.uniform(-0.4, 0.4) * side
            y = top + high / 2 + self._rng.uniform(-0.4, 0.4) * side
        x0 = np.clip(x - side / 2, 0, max(0.0, width - side))
        y0 = np.clip(y - side / 2, 0, max(0.0, height - side))
        if self._rng.random() < 0.5:
            return np.array([[-scale, 0, (x0 + side) * scale - 1], [0, scale, -y0 * scale]])
        return np.array([[scale, 0, -x0 * scale], [0, scale, -y0 * scale]])

    def _tinted(self, picture: Picture) -> Picture:
        """The picture under another light, through another camera."""
        gains = self._rng.normal(1, 0.15) * self._rng.normal(1, 0.04, 3)
        light = picture * gains.astype(np.float32) + np.float32(self._rng.normal(0, 12))
        if self._rng.random() < 0.3:
            light = np.asarray(cv2.GaussianBlur(light, (3, 3), self._rng.uniform(0.3, 1.0)))
        if self._rng.random() < 0.3:
            light += 4 * self._rng.standard_normal(light.shape, np.float32)
        tinted: Picture = np.clip(light, 0, 255).astype(np.uint8)
        return tinted


def _window(one: Instance) -> tuple[slice, slice]:
    height, width = one.mask.shape
    return np.s_[one.top : one.top + height, one.left : one.left + width]


def _placed(one: Instance, shape: tuple[int, int]) -> Mask:
    whole = np.zeros(shape, np.bool_)
    whole[_window(one)] = one.mask
    return whole


def _target(seen: Sequence[tuple[int, NDArray[np.uint8]]], crop_px: int) -> dict[str, Tensor]:
    """What torchvision learns from; with nothing to see its boxes are (0, 4)."""
    boxes = np.zeros((len(seen), 4), np.float32)
    for row, (_, mask) in zip(boxes, seen, strict=True):
        left, top, width, height = cv2.boundingRect(mask)
        row[:] = left, top, left + width, top + height
    masks = np.stack([mask for _, mask in seen]) if seen else np.zeros((0, crop_px, crop_px))
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor([label for label, _ in seen], dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }
