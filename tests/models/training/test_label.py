"""A made street in which we know who walks where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.training.label import contact_sheet, label_scene, sure
from models.training.scene import Background, SceneError, foreground, median_background

pytestmark = pytest.mark.slow

WIDTH, HEIGHT, FRAMES = 240, 180, 70
Picture = NDArray[np.uint8]
Walk = tuple[float, float, float]  # start x, speed px a frame, foot y

STREET: list[Walk] = [(-10, 3.0, 90), (250, -3.2, 130), (-60, 3.4, 165)]


def ground() -> Picture:
    rng = np.random.default_rng(3)
    noise = rng.normal(150, 6, (HEIGHT, WIDTH, 1)) + np.zeros(3)
    return cv2.GaussianBlur(noise, (5, 5), 0).clip(0, 255).astype(np.uint8)


def walker(foot_y: float) -> float:
    return 0.25 * foot_y + 15


def draw(picture: Picture, x: float, foot_y: float) -> NDArray[np.bool_]:
    """A person with a head, a trunk, two legs and a soft shadow; returns the true mask."""
    tall = walker(foot_y)
    mask = np.zeros(picture.shape[:2], np.uint8)
    top = foot_y - tall
    cv2.circle(mask, (round(x), round(top + 0.1 * tall)), max(2, round(0.08 * tall)), 1, -1)
    trunk = (round(0.13 * tall), round(0.28 * tall))
    cv2.ellipse(mask, (round(x), round(top + 0.42 * tall)), trunk, 0, 0, 360, 1, -1)
    for side in (-1, 1):
        hip, foot = (
            (round(x), round(top + 0.6 * tall)),
            (round(x + side * 0.1 * tall), round(foot_y)),
        )
        cv2.line(mask, hip, foot, 1, max(2, round(0.09 * tall)))
    shade = np.zeros(picture.shape[:2], np.uint8)
    cv2.ellipse(
        shade, (round(x + 0.2 * tall), round(foot_y)), (round(0.3 * tall), 4), 0, 0, 360, 1, -1
    )
    picture[(shade > 0) & (mask == 0)] = (picture[(shade > 0) & (mask == 0)] * 0.75).astype(
        np.uint8
    )
    picture[mask > 0] = (40, 50, 120)
    return mask > 0


def street(walks: list[Walk], shake: float = 0.0) -> Callable[[], Iterator[tuple[int, Picture]]]:
    def read() -> Iterator[tuple[int, Picture]]:
        scene = ground()
        if shake:  # something to see move: a chequered floor
            tiles = np.indices((HEIGHT, WIDTH)) // 20
            scene[tiles.sum(axis=0) % 2 == 0] //= 3
        for index in range(FRAMES):
            frame = scene.copy()
            for start, speed, foot_y in walks:
                draw(frame, start + speed * index, foot_y)
            if shake:
                frame = np.roll(frame, round(shake * index), axis=1)
            yield index, frame

    return read


def truth(index: int) -> list[NDArray[np.bool_]]:
    masks = []
    for start, speed, foot_y in STREET:
        x = start + speed * index
        if 12 < x < WIDTH - 12:
            masks.append(draw(ground(), x, foot_y))
    return masks


@pytest.fixture(scope="module")
def coco() -> dict[str, Any]:
    return label_scene(street(STREET))


def test_people_of_a_made_street_are_found_and_little_else(coco: dict[str, Any]) -> None:
    found = wrong = 0
    wanted = sum(len(truth(index)) for index in range(FRAMES))
    for index in range(FRAMES):
        known = [coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in truth(index)]
        for one in coco["annotations"]:
            if one["image_id"] != index or one["bbox"][0] < 3:
                continue
            if one["bbox"][0] + one["bbox"][2] > WIDTH - 3:
                continue
            overlaps = coco_mask.iou([one["segmentation"]], known, [False] * len(known))
            hit = len(known) > 0 and overlaps.max() > 0.6
            found += hit
            wrong += not hit
    assert found >= 0.85 * wanted
    assert wrong <= 0.1 * wanted


def test_a_person_keeps_one_track(coco: dict[str, Any]) -> None:
    assert len({one["track_id"] for one in coco["annotations"]}) == len(STREET)


def test_a_shadow_is_not_foreground() -> None:
    background = median_background(street(STREET))
    frame = ground()
    mask = draw(frame, 120, 130)
    seen = foreground(frame, background)
    assert (seen & mask).sum() > 0.85 * mask.sum()
    assert (seen & ~mask).sum() < 0.15 * mask.sum()


def with_things(index: int, frame: Picture) -> Picture:
    """From frame 20 on a chest as tall as a person stands there; another person walks in, waits."""
    if index >= 20:
        frame[95:135, 60:76] = (40, 50, 120)
    draw(frame, max(250.0 - 4 * index, 190.0), 60)
    return frame


def test_what_goes_nowhere_is_doubted_and_who_walks_in_and_waits_is_not() -> None:
    walks = [STREET[0], STREET[1]]

    def read() -> Iterator[tuple[int, Picture]]:
        return ((index, with_things(index, frame)) for index, frame in street(walks)())

    coco = label_scene(read, background=Background.of(ground()))
    late = [one for one in coco["annotations"] if one["image_id"] >= 25]
    chest, waits = np.array([[60, 95, 16, 40]], float), np.array([[183, 30, 14, 30]], float)

    def at(place: NDArray[np.float64]) -> list[bool]:
        boxes = np.array([one["bbox"] for one in late], float)
        there = coco_mask.iou(boxes, place, [False])[:, 0] > 0.6
        return [bool(one["iscrowd"]) for one, here in zip(late, there, strict=True) if here]

    assert len(at(chest)) >= 25
    assert all(at(chest))
    assert len(at(waits)) >= 25
    assert not any(at(waits))
    assert {one["id"] for one in sure(coco)["annotations"]} == {
        one["id"] for one in coco["annotations"] if not one["iscrowd"]
    }


def test_a_scene_in_which_all_stand_still_has_nothing_to_teach() -> None:
    def read() -> Iterator[tuple[int, Picture]]:
        walks: list[Walk] = [(40 + 40 * place, 0.0, 60 + 20 * place) for place in range(5)]
        return street(walks)()

    with pytest.raises(SceneError, match="walks through this scene"):
        label_scene(read, background=Background.of(ground()))


def test_a_contact_sheet_shows_every_frame_asked_for(coco: dict[str, Any]) -> None:
    frames = [(index, frame) for index, frame in street(STREET)() if index in {10, 20, 30, 40}]
    sheet = contact_sheet(frames, coco, columns=3)
    assert sheet.shape == (2 * HEIGHT, 3 * WIDTH, 3)
    assert np.abs(sheet[:HEIGHT, :WIDTH].astype(int) - frames[0][1]).max() > 50
    assert not sheet[HEIGHT:, 2 * WIDTH :].any()


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (street([]), "people walk alone"),
        (street(STREET, shake=7.0), "the camera moves"),
        (lambda: iter(list(street(STREET)())[:5]), "too few"),
    ],
    ids=["nobody", "moving camera", "five frames"],
)
def test_what_cannot_be_labelled_is_said(
    read: Callable[[], Iterator[tuple[int, Picture]]], told: str
) -> None:
    with pytest.raises(SceneError, match=told):
        label_scene(read)
