"""The recipe of the shipped network, on a made street: what judges it was made without it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.mask_rcnn import load_segmenter
from models.training import instances, street
from models.training.scene import ReadFrames
from models.training.street import FILE, STREET
from models.training.street_people import train_street_people

TEACH, ALL = 60, 110
Picture = NDArray[np.uint8]


def person(picture: Picture, x: float, foot: int, tall: int) -> None:
    """A trunk, a head and legs that stand apart."""
    middle = round(x)
    cv2.circle(picture, (middle, foot - round(0.9 * tall)), round(0.09 * tall), (30, 40, 60), -1)
    trunk = (round(0.14 * tall), round(0.28 * tall))
    centre = (middle, foot - round(0.58 * tall))
    cv2.ellipse(picture, centre, trunk, 0, 0, 360, (30, 40, 60), -1)
    for side in (-1, 1):
        hip = (middle, foot - round(0.4 * tall))
        cv2.line(picture, hip, (middle + round(side * 0.1 * tall), foot), (30, 40, 60), 4)


def film(path: Path) -> ReadFrames:
    """People who walk to and fro; from frame 75 on, a thing that somebody put down."""
    assert path.name == FILE

    def read() -> Iterable[tuple[int, Picture]]:
        for index in range(ALL):
            picture = np.full((144, 192, 3), 170, np.uint8)
            person(picture, -10 + (4.1 * index) % 212, 70, 32)
            person(picture, 202 - (3.7 * index) % 212, 120, 44)
            if index >= 75:
                picture[20:44, 150:160] = (30, 40, 60)
            yield index, picture

    return read


@pytest.mark.slow
def test_the_card_tells_what_the_rest_of_the_street_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(street, "FIRST_HELD_OUT", TEACH)
    monkeypatch.setattr(street, "FRAMES", ALL)
    monkeypatch.setattr(instances, "MIN_SIZE", 96)
    folder = tmp_path / STREET.name
    folder.mkdir()
    (folder / FILE).touch()
    out = tmp_path / "people.safetensors"
    card = train_street_people(out, frames_of=film, given=tmp_path, steps=3)
    assert card.data == [STREET.for_card()]
    assert (card.training["steps"], card.training["frames"]) == (3, TEACH // 2)
    against = card.heldout["against_automatic_labels"]
    (counts,) = (value for key, value in against.items() if key.startswith("at_score"))
    assert ALL - TEACH <= counts["labelled"] <= 2 * (ALL - TEACH)  # two people, never the thing
    assert card.heldout["on_40_frames_checked_by_eye"]["labelled"] == 274
    segmenter = load_segmenter(out)
    assert segmenter.card.sha256 == card.sha256
    assert segmenter.min_size == 96
