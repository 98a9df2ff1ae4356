"""What an instances network learns from: pictures at its size, with things cut out by labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SMALLEST_PX = 24  # instances with less area teach nothing


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
    if mask.sum() < SMALLEST_PX:
        return None
    return Instance(label, left, top, mask.copy())
