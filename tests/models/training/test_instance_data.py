"""Labels become masks at the network's size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from models.training.instance_data import (
    completed,
    cut_out,
    decode,
    labelled_frames,
    scaled_size,
)

WIDTH, HEIGHT = 160, 120
SQUARE = np.s_[40:80, 30:90]  # rows, columns
POLYGON = [[30.0, 40.0, 90.0, 40.0, 90.0, 80.0, 30.0, 80.0]]


def square() -> NDArray[np.uint8]:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[SQUARE] = 1
    return mask


def run_lengths() -> dict[str, Any]:
    before, tall, apart = 30 * HEIGHT + 40, 40, HEIGHT - 40
    counts = [before, *[tall, apart] * 59, tall, HEIGHT * 70 + 40]
    return {"size": [HEIGHT, WIDTH], "counts": counts}


def labels(*segmentations: Any, iscrowd: int = 0, category: int = 7) -> dict[str, Any]:
    return {
        "images": [{"id": 5, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "car"}, {"id": 7, "name": "person"}],
        "annotations": [
            {
                "id": number,
                "image_id": 5,
                "category_id": category,
                "iscrowd": iscrowd,
                "segmentation": segmentation,
            }
            for number, segmentation in enumerate(segmentations, start=1)
        ],
    }


def label(segmentation: Any) -> dict[str, Any]:
    (annotation,) = labels(segmentation)["annotations"]
    return annotation


def frame() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


@pytest.mark.parametrize(
    "segmentation",
    [POLYGON, run_lengths(), coco_mask.encode(square())],
    ids=["polygon", "run lengths", "compressed"],
)
def test_every_kind_of_coco_mask_is_understood(segmentation: Any) -> None:
    assert np.array_equal(decode(label(segmentation), (WIDTH, HEIGHT)), square())


@pytest.mark.parametrize(
    "segmentation",
    [POLYGON, run_lengths(), coco_mask.encode(square())],
    ids=["polygon", "run lengths", "compressed"],
)
def test_labels_are_completed_for_those_who_judge_by_them(segmentation: Any) -> None:
    bare = {"image_id": 5, "category_id": 7, "segmentation": segmentation}
    (whole,) = completed({**labels(), "annotations": [bare]})["annotations"]
    assert whole["bbox"] == [30, 40, 60, 40]
    assert (whole["area"], whole["iscrowd"], whole["id"]) == (2400, 0, 1)
    assert np.array_equal(coco_mask.decode(whole["segmentation"]), square())
    kept = completed({**labels(), "annotations": [{**bare, "iscrowd": 1, "id": 9}]})
    assert (kept["annotations"][0]["iscrowd"], kept["annotations"][0]["id"]) == (1, 9)


def test_a_label_of_no_image_is_refused() -> None:
    stray = {**label(POLYGON), "image_id": 6}
    with pytest.raises(ValueError, match="image 6, which is not among"):
        completed({**labels(), "annotations": [stray]})


def test_a_polygon_of_two_parts_is_one_mask() -> None:
    parts = [[10.0, 10, 30, 10, 30, 30, 10, 30], [50.0, 50, 70, 50, 70, 70, 50, 70]]
    assert decode(label(parts), (WIDTH, HEIGHT)).sum() == 800


def test_a_polygon_partly_outside_is_cut_at_the_border() -> None:
    outside = [[-50.0, -50, 20, -50, 20, 10, -50, 10]]
    mask = decode(label(outside), (WIDTH, HEIGHT))
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.sum() == mask[:10, :20].sum() == 200


def test_labels_are_scaled_with_their_picture() -> None:
    (one,) = labelled_frames([(4, frame()), (5, frame())], labels(POLYGON), 60)
    assert one.picture.shape == (60, 80, 3)
    (thing,) = one.instances
    assert (thing.label, thing.left, thing.top) == (2, 15, 20)  # the second category
    assert thing.mask.shape == (20, 30)
    assert thing.mask.all()


def test_a_crowd_is_neither_a_thing_nor_background() -> None:
    (one,) = labelled_frames([(5, frame())], labels(run_lengths(), iscrowd=1), 120)
    assert [thing.label for thing in one.instances] == [0]


def test_masks_outside_the_picture_or_too_small_are_left_out() -> None:
    outside = [[300.0, 10, 340, 10, 340, 50, 300, 50]]
    speck = [[10.0, 10, 13, 10, 13, 13, 10, 13]]
    (one,) = labelled_frames([(5, frame())], labels(outside, speck, POLYGON), 120)
    assert len(one.instances) == 1
    assert cut_out(np.zeros((9, 9), bool), 1) is None


def test_a_frame_without_labels_still_teaches_what_is_nothing() -> None:
    (one,) = labelled_frames([(5, frame())], labels(), 120)
    assert one.instances == ()


def test_labels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="image 5 is 80x60; its labels are for 160x120"):
        list(labelled_frames([(5, np.zeros((60, 80, 3), np.uint8))], labels(POLYGON), 60))
    other = {"size": [60, 80], "counts": [4800]}
    with pytest.raises(ValueError, match="a mask of image 5 is 80x60; the image is 160x120"):
        list(labelled_frames([(5, frame())], labels(other), 60))


def test_a_label_without_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="has no mask"):
        list(labelled_frames([(5, frame())], labels([]), 60))


@pytest.mark.parametrize(
    ("size", "scaled"), [((768, 576), (512, 384)), ((576, 768), (384, 512)), ((200, 90), (200, 90))]
)
def test_the_short_side_is_scaled_down_and_never_up(
    size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    assert scaled_size(*size, 384) == scaled
