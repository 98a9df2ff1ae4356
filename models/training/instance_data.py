"""What an instances network learns from: labelled pictures, cut, mixed and varied while it trains.

A static scene has few frames that differ, so instances of other frames are pasted in, the empty
background sometimes stands in for the frame's own, and what moves but has no label is painted over
with it: a label that is missing must not teach that a person is background.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor

T = TypeVar("T")

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Batch = tuple[Picture, list[dict[str, Tensor]]]

_CROP_PX = 320
_SMALLEST_PX = 24  # instances with less area teach nothing
_SEEN = 0.4  # what must be left of an instance behind another, or at the edge of a crop
_MOVED = 28  # grey levels: more, and the frame differs from the background


@dataclass(frozen=True, slots=True)
class Instance:
    """One labelled thing: `mask` fills its box, whose corner is at (`left`, `top`)."""

    label: int  # from 1; 0 is a crowd, which is neither a thing nor background
    left: int
    top: int
    mask: Mask  # h, w


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture at the network's size with its instances."""

    picture: Picture
    instances: tuple[Instance, ...] = field(repr=False)


def scaled_size(width: int, height: int, short_px: int) -> tuple[int, int]:
    """(width, height) with the short side at most `short_px`, as the lane scales frames."""
    scale = min(1.0, short_px / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def labelled_frames(
    frames: Iterable[tuple[int, Picture]], coco: dict[str, Any], short_px: int
) -> Iterator[Labelled]:
    """Each frame that `coco` has an image for, scaled, with its labels; empty frames too.

    Polygons and run lengths are understood. ValueError when a size does not fit its labels,
    or when a label has no mask.
    """
    numbers = {c["id"]: number for number, c in enumerate(coco["categories"], start=1)}
    images = {image["id"]: image for image in coco["images"]}
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in coco["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for index, frame in frames:
        if index not in images:
            continue
        height, width = frame.shape[:2]
        if (images[index]["width"], images[index]["height"]) != (width, height):
            message = (
                f"image {index} is {width}x{height}; its labels are for "
                f"{images[index]['width']}x{images[index]['height']}"
            )
            raise ValueError(message)
        size = scaled_size(width, height, short_px)
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        cut = (_instance(a, numbers, (width, height), size) for a in by_image.get(index, []))
        yield Labelled(small.astype(np.uint8), tuple(one for one in cut if one is not None))


def _instance(
    annotation: dict[str, Any],
    numbers: dict[int, int],
    size: tuple[int, int],
    scaled: tuple[int, int],
) -> Instance | None:
    """The annotation at the network's size; None when nothing of it is left there."""
    whole = decode(annotation, size)
    bitmap = cv2.resize(whole * np.uint8(255), scaled, interpolation=cv2.INTER_AREA)
    label = 0 if annotation.get("iscrowd") else numbers[annotation["category_id"]]
    return cut_out(bitmap > 127, label)


def completed(coco: dict[str, Any]) -> dict[str, Any]:
    """The same labels with what COCO lets out: RLE masks, boxes, areas, `iscrowd`.

    ValueError when a label has no mask, or one that does not fit its image.
    """
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    whole = []
    for number, annotation in enumerate(coco["annotations"], start=1):
        if annotation["image_id"] not in sizes:
            message = f"a label is of image {annotation['image_id']}, which is not among the images"
            raise ValueError(message)
        coded = _coded(annotation, sizes[annotation["image_id"]])
        measured = {
            "id": number,
            "iscrowd": 0,
            "bbox": coco_mask.toBbox(coded).tolist(),
            "area": int(coco_mask.area(coded)),
        }
        whole.append({**measured, **annotation, "segmentation": coded})
    return {**coco, "annotations": whole}


def decode(annotation: dict[str, Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width) of 0 and 1: the mask of an annotation, be it polygons or run lengths."""
    bitmap: NDArray[np.uint8] = coco_mask.decode(_coded(annotation, size))
    return bitmap


def _coded(annotation: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Compressed run lengths; ValueError when there are none or they are of another size."""
    width, height = size
    segmentation, image = annotation.get("segmentation"), annotation["image_id"]
    if not segmentation:
        message = f"a label of image {image} has no mask; masks are what is learnt"
        raise ValueError(message)
    coded: dict[str, Any]
    if isinstance(segmentation, list):
        coded = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        coded = coco_mask.frPyObjects(segmentation, height, width)
    else:
        coded = segmentation
    high, wide = coded["size"]
    if (wide, high) != (width, height):
        message = f"a mask of image {image} is {wide}x{high}; the image is {width}x{height}"
        raise ValueError(message)
    return coded


def cut_out(bitmap: Mask, label: int) -> Instance | None:
    """The instance that a mask of the whole picture shows; None when it is too small."""
    left, top, width, height = cv2.boundingRect(bitmap.astype(np.uint8))
    mask = bitmap[top : top + height, left : left + width]
    if mask.sum() < _SMALLEST_PX:
        return None
    return Instance(label, left, top, mask.copy())


class Augmenter:
    """Makes training batches of crops; the same seed makes the same batches."""

    def __init__(
        self, data: Sequence[Labelled], seed: int, background: Picture | None = None
    ) -> None:
        if not any(one.label for labelled in data for one in labelled.instances):
            message = "no picture has a label: nothing can be learnt"
            raise ValueError(message)
        self._data = data
        self._rng = np.random.default_rng(seed)
        self._background = background

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
        side = (_CROP_PX, _CROP_PX)
        picture = cv2.warpAffine(canvas, matrix, side, borderMode=cv2.BORDER_REPLICATE)
        seen: list[tuple[int, NDArray[np.uint8]]] = []
        for label, mask in whole:
            shown = cv2.warpAffine(mask.view(np.uint8), matrix, side, flags=cv2.INTER_NEAREST)
            full = mask.sum() * abs(np.linalg.det(matrix[:, :2]))
            if label and shown.sum() >= max(_SMALLEST_PX, _SEEN * full):
                seen.append((label, shown.astype(np.uint8)))
        return self._tinted(picture.astype(np.uint8)), _target(seen)

    def _one_of(self, things: Sequence[T]) -> T:
        return things[int(self._rng.integers(len(things)))]

    def _repainted(self, chosen: Labelled) -> Picture:
        """The frame, or its people over the empty background, without what has no label."""
        canvas = chosen.picture.copy()
        for crowd in chosen.instances:
            if crowd.label == 0:
                place = _window(crowd)
                canvas[place][crowd.mask] = canvas.mean((0, 1)).astype(np.uint8)
        if self._background is None:
            return canvas
        labelled = np.zeros(canvas.shape[:2], np.uint8)
        for one in chosen.instances:
            labelled[_window(one)] |= one.mask
        near = cv2.dilate(labelled, np.ones((5, 5), np.uint8)).astype(bool)
        if self._rng.random() < 0.25:
            canvas[~near] = self._background[~near]
            return canvas
        moved = cv2.absdiff(canvas, self._background).max(2) > _MOVED
        unexplained = cv2.morphologyEx(
            (moved & ~near).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
        )
        unexplained = cv2.dilate(unexplained, np.ones((7, 7), np.uint8)).astype(bool) & ~near
        canvas[unexplained] = self._background[unexplained]
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
        # Sideways anywhere, up and down a little: a camera sees far things small and high up.
        left = int(self._rng.integers(0, max(1, width - wide)))
        top = int(np.clip(thing.top + self._rng.normal(0, 0.06 * height), 0, height - high))
        place = np.s_[top : top + high, left : left + wide]
        canvas[place][mask] = pixels[mask]
        behind = list(whole)
        whole.clear()
        for label, other in behind:
            before = other.sum()
            other[place] &= ~mask
            if other.sum() >= max(1, _SEEN / 2 * before):
                whole.append((label, other))
        pasted = np.zeros((height, width), np.bool_)
        pasted[place] = mask
        whole.append((thing.label, pasted))

    def _view(self, width: int, height: int, masks: Sequence[Mask]) -> NDArray[np.float64]:
        """The affine map from the canvas to the crop: scale, place and, half the time, mirror."""
        scale = float(np.exp(self._rng.uniform(np.log(0.8), np.log(1.25))))
        side = _CROP_PX / scale
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
        light: NDArray[np.floating] = picture * gains + self._rng.normal(0, 12)
        if self._rng.random() < 0.3:
            light = cv2.GaussianBlur(light, (3, 3), self._rng.uniform(0.3, 1.0)).astype(float)
        if self._rng.random() < 0.3:
            light = light + self._rng.normal(0, 4, light.shape)
        tinted: Picture = np.clip(light, 0, 255).astype(np.uint8)
        return tinted


def _window(one: Instance) -> tuple[slice, slice]:
    height, width = one.mask.shape
    return np.s_[one.top : one.top + height, one.left : one.left + width]


def _placed(one: Instance, shape: tuple[int, int]) -> Mask:
    whole = np.zeros(shape, np.bool_)
    whole[_window(one)] = one.mask
    return whole


def _target(seen: Sequence[tuple[int, NDArray[np.uint8]]]) -> dict[str, Tensor]:
    """What torchvision learns from; with nothing to see its boxes are (0, 4)."""
    boxes = np.zeros((len(seen), 4), np.float32)
    for row, (_, mask) in zip(boxes, seen, strict=True):
        left, top, width, height = cv2.boundingRect(mask)
        row[:] = left, top, left + width, top + height
    masks = np.stack([mask for _, mask in seen]) if seen else np.zeros((0, _CROP_PX, _CROP_PX))
    return {
        "boxes": torch.from_numpy(boxes),
        "labels": torch.tensor([label for label, _ in seen], dtype=torch.int64),
        "masks": torch.from_numpy(masks.astype(np.uint8)),
    }
