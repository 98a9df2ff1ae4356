"""Labels without a human: a static stream labels the people in it, as COCO JSON.

What moves is cut out (scene.py), split into people (people.py) and followed from frame to frame.
What is seen only for an instant is dropped, and what never goes anywhere is doubted. The labels are
good enough to train a network for this scene, and are to be checked by eye on the contact sheet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.training.people import Person, learn, people_in
from models.training.scene import Background, ReadFrames, SceneError, foreground, median_background

_LOGGER = logging.getLogger(__name__)

SAME_TRACK_IOU = 0.25
LONGEST_GAP = 5
SHORTEST_TRACK = 5
LEAST_TRAVEL = 0.5  # body heights; a door left open and a thing put down differ, and go nowhere
PEOPLE_FRAMES = 300


def label_scene(
    read: ReadFrames,
    *,
    background: Background | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """COCO JSON with one category, `person`: boxes, RLE masks, scores, `track_id`.

    The image id is the frame's index. What may be a person or not, because it never goes as far as
    half its own height, is `iscrowd`: neither learnt from nor counted. Frames are read three times.
    SceneError says why when the scene does not stand still or nobody walks through it.
    """
    background = background or median_background(read)
    packed: dict[int, NDArray[np.uint8]] = {}
    shape = background.rgb.shape[:2]
    _LOGGER.info("the scene labels itself: what moves, and who in it is a person")
    for index, frame in read():
        packed[index] = np.packbits(foreground(frame, background))
        _tell(on_frame, index)
    if not packed:
        message = "there are no frames to label"
        raise SceneError(message)

    def mask_of(index: int) -> NDArray[np.bool_]:
        return np.unpackbits(packed[index], count=shape[0] * shape[1]).reshape(shape).astype(bool)

    every = max(1, len(packed) // PEOPLE_FRAMES)
    priors = learn(mask_of(index) for index in sorted(packed)[::every])
    people: list[tuple[int, dict[str, Any]]] = []
    for index in sorted(packed):
        people += [(index, _annotation(p)) for p in people_in(mask_of(index), priors)]
        _tell(on_frame, index)
    kept = _followed(people)
    walkers = _walkers(kept)
    _LOGGER.info("%d outlines of %d people on %d frames", len(kept), len(walkers), len(packed))
    if not walkers:
        message = "nobody walks through this scene for longer than a moment: nothing to label"
        raise SceneError(message)
    return {
        "info": {"description": "labels made without a human from a static stream"},
        "categories": [{"id": 1, "name": "person"}],
        "images": [
            {"id": index, "file_name": f"{index}", "width": shape[1], "height": shape[0]}
            for index in sorted(packed)
        ],
        "annotations": [
            {
                "id": number,
                "image_id": index,
                "category_id": 1,
                "iscrowd": int(annotation["track_id"] not in walkers),
                **annotation,
            }
            for number, (index, annotation) in enumerate(kept, start=1)
        ],
    }


def sure(coco: dict[str, Any]) -> dict[str, Any]:
    """The same labels without those that are doubted."""
    return {**coco, "annotations": [one for one in coco["annotations"] if not one["iscrowd"]]}


def contact_sheet(
    frames: Iterable[tuple[int, NDArray[np.uint8]]], coco: dict[str, Any], columns: int = 3
) -> NDArray[np.uint8]:
    """One RGB picture with the given frames side by side, their labels drawn in.

    Each track has a colour; what is doubted is white, with a question mark.
    """
    tiles = []
    by_image: dict[int, list[dict[str, Any]]] = {}
    for annotation in coco["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for index, frame in frames:
        tile = frame.copy()
        for annotation in by_image.get(index, []):
            doubted = bool(annotation["iscrowd"])
            hue = [annotation["track_id"] * 47 % 180, 0 if doubted else 220, 255]
            colour = cv2.cvtColor(np.array([[hue]], np.uint8), cv2.COLOR_HSV2RGB)[0, 0].astype(int)
            mask = coco_mask.decode(annotation["segmentation"]).astype(bool)
            tile[mask] = (0.6 * tile[mask] + 0.4 * colour).astype(np.uint8)
            x, y, width, height = (int(v) for v in annotation["bbox"])
            ink = tuple(int(v) for v in colour)
            cv2.rectangle(tile, (x, y), (x + width, y + height), ink, 1)
            told = "?" if doubted else f"{annotation['track_id']}: {annotation['score']:.2f}"
            cv2.putText(tile, told, (x, max(10, y - 3)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, ink, 1)
        cv2.putText(tile, f"{index}", (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tell(on_frame: Callable[[int], None] | None, index: int) -> None:
    if on_frame is not None:
        on_frame(index)


def _annotation(person: Person) -> dict[str, Any]:
    coded = coco_mask.encode(np.asfortranarray(person.mask, dtype=np.uint8))
    return {
        "bbox": [float(edge) for edge in person.box],
        "area": int(person.mask.sum()),
        "segmentation": {"size": list(person.mask.shape), "counts": coded["counts"].decode()},
        "score": round(person.score, 3),
    }


def _followed(people: list[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """The same people with a `track_id`; those seen in fewer than five frames are left out."""
    ends: dict[int, tuple[int, list[float]]] = {}  # track -> last frame, box
    lengths: dict[int, int] = {}
    followed = []
    for index in sorted({index for index, _ in people}):
        here = [annotation for at, annotation in people if at == index]
        pairs = sorted(
            (
                (-_iou(annotation["bbox"], box), number, track)
                for number, annotation in enumerate(here)
                for track, (last, box) in ends.items()
                if index - last <= LONGEST_GAP
            ),
        )
        chosen: dict[int, int] = {}
        for overlap, number, track in pairs:
            free = number not in chosen and track not in chosen.values()
            if free and -overlap >= SAME_TRACK_IOU:
                chosen[number] = track
        for number, annotation in enumerate(here):
            track = chosen.get(number, len(lengths) + 1)
            lengths[track] = lengths.get(track, 0) + 1
            ends[track] = (index, annotation["bbox"])
            followed.append((index, {**annotation, "track_id": track}))
    return [(at, one) for at, one in followed if lengths[one["track_id"]] >= SHORTEST_TRACK]


def _walkers(followed: list[tuple[int, dict[str, Any]]]) -> set[int]:
    """The tracks that get about: their feet are not all within half a body height of each other."""
    boxes: dict[int, list[list[float]]] = {}
    for _, annotation in followed:
        boxes.setdefault(annotation["track_id"], []).append(annotation["bbox"])
    walkers = set()
    for track, ones in boxes.items():
        x, y, width, height = np.array(ones).T
        feet = np.stack([x + width / 2, y + height])
        # The ends without the outermost twentieths: a box that is wrong for a moment is no walk.
        first, last = np.quantile(feet, (0.05, 0.95), axis=1)
        if np.hypot(*(last - first)) >= LEAST_TRAVEL * np.median(height):
            walkers.add(track)
    return walkers


def _iou(one: list[float], other: list[float]) -> float:
    return float(coco_mask.iou(np.array([one]), np.array([other]), [False])[0][0])
