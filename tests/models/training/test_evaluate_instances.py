"""Figures of detections whose worth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from models.card import Card
from models.mask_rcnn import Segmenter, build
from models.training.evaluate_instances import (
    Matches,
    average_precision,
    best_threshold,
    detect,
    matches,
    per_class,
)
from tests.models.training import toy_street
from tests.networks import INSTANCES

SIDE = 100
Box = tuple[int, int, int, int]  # x, y, width, height


def outline(box: Box) -> dict[str, Any]:
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    x, y, width, height = box
    mask[y : y + height, x : x + width] = 1
    return coco_mask.encode(mask)


def truth(*boxes: Box, crowds: tuple[Box, ...] = (), images: int = 1) -> dict[str, Any]:
    marked = [(box, 0) for box in boxes] + [(box, 1) for box in crowds]
    return {
        "images": [{"id": index, "width": SIDE, "height": SIDE} for index in range(images)],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}],
        "annotations": [
            {
                "id": number,
                "image_id": 0,
                "category_id": 1,
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": crowd,
                "segmentation": outline(box),
            }
            for number, (box, crowd) in enumerate(marked, start=1)
        ],
    }


def seen(box: Box, score: float = 0.9, image: int = 0, category: int = 1) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": category,
        "bbox": list(box),
        "score": score,
        "segmentation": outline(box),
    }


ONE, OTHER, FAR = (10, 10, 20, 40), (50, 10, 20, 40), (70, 60, 20, 30)


def test_perfect_detections_have_an_average_precision_of_one() -> None:
    figures = average_precision(truth(ONE, OTHER), [seen(ONE), seen(OTHER, 0.8)])
    assert figures == {"box_AP": 1.0, "box_AP50": 1.0, "mask_AP": 1.0, "mask_AP50": 1.0}


def test_none_have_one_of_zero() -> None:
    wanted = {"box_AP": 0.0, "box_AP50": 0.0, "mask_AP": 0.0, "mask_AP50": 0.0}
    assert average_precision(truth(ONE), []) == wanted
    assert average_precision(truth(ONE), [seen(FAR)]) == wanted


def test_a_box_that_fits_loosely_counts_at_half_and_not_at_every_overlap() -> None:
    x, y, width, height = ONE
    figures = average_precision(truth(ONE), [seen((x, y, width, height * 7 // 10))])
    assert figures["box_AP50"] == 1.0
    assert 0.3 < figures["box_AP"] < 0.6


def test_every_class_has_its_own_precision() -> None:
    labels = truth(ONE, OTHER, crowds=(FAR,))
    labels["categories"].append({"id": 3, "name": "tree"})
    box = (70, 5, 20, 50)
    labels["annotations"].append({**labels["annotations"][0], "id": 9, "category_id": 2})
    labels["annotations"][-1] |= {"bbox": list(box), "area": 1000, "segmentation": outline(box)}
    found = [
        seen((5, 70, 20, 20), 0.95),  # no person is there
        seen(ONE, 0.9),
        seen((70, 5, 20, 36), 0.8, category=2),  # 36 rows of 50: an IoU of .72
    ]
    rows = per_class(labels, found)
    # Of two people one is found, behind a false one: half right up to a recall of a half, which
    # are 51 of COCO's 101 points.
    person = round(0.5 * 51 / 101, 4)
    assert rows["person"] == {
        "labels": 2,
        "box_AP": person,
        "box_AP50": person,
        "mask_AP": person,
        "mask_AP50": person,
    }
    # .72 is enough for .50, .55, .60, .65 and .70 of ten overlaps.
    assert rows["car"] == {
        "labels": 1,
        "box_AP": 0.5,
        "box_AP50": 1.0,
        "mask_AP": 0.5,
        "mask_AP50": 1.0,
    }
    assert rows["tree"]["labels"] == 0
    assert rows["tree"]["box_AP"] is None
    whole = average_precision(labels, found)
    assert whole["box_AP50"] == pytest.approx((person + 1) / 2, abs=1e-4)
    assert whole["mask_AP"] == pytest.approx((person + 0.5) / 2, abs=1e-4)


def test_matches_are_counted() -> None:
    told = matches(truth(ONE, OTHER), [seen(ONE), seen(FAR, 0.6)], 0.5)
    assert told == Matches(labelled=2, found=1, false=1, mask_iou=1.0)
    assert (told.recall, told.precision, told.f1) == (0.5, 0.5, 0.5)
    assert told.to_json()["recall"] == 0.5


def test_each_label_is_found_once() -> None:
    x, y, width, height = ONE
    twice = [seen(ONE, 0.6), seen((x + 1, y, width, height), 0.9)]
    told = matches(truth(ONE), twice, 0.5)
    assert (told.found, told.false) == (1, 1)
    assert told.mask_iou == 1.0  # the better overlap is the pair, whatever its score


def test_scores_below_and_frames_without_labels_do_not_count() -> None:
    told = matches(truth(ONE), [seen(ONE, 0.4), seen(ONE, 0.9, image=7)], 0.5)
    assert told == Matches(1, 0, 0, None)
    assert told.to_json()["mask_iou"] is None


def test_another_kind_of_thing_is_no_match() -> None:
    told = matches(truth(ONE), [seen(ONE, category=2)], 0.5)
    assert (told.found, told.false) == (0, 1)


def test_what_lies_in_a_crowd_is_neither_right_nor_wrong() -> None:
    labels = truth(ONE, crowds=(FAR,))
    inside = (72, 62, 10, 20)
    assert matches(labels, [seen(ONE), seen(inside)], 0.5) == Matches(1, 1, 0, 1.0)
    beside = (40, 55, 32, 30)  # hardly touches it
    assert matches(labels, [seen(ONE), seen(beside)], 0.5).false == 1


def test_an_empty_frame_punishes_what_is_seen_there() -> None:
    told = matches(truth(ONE, images=2), [seen(ONE), seen(ONE, image=1)], 0.5)
    assert (told.labelled, told.found, told.false) == (1, 1, 1)


def test_nothing_labelled_and_nothing_seen_has_rates_that_are_numbers() -> None:
    told = matches(truth(), [], 0.5)
    assert (told.recall, told.precision, told.f1) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("right", "wrong"), [(0.85, 0.7), (0.5, 0.4), (0.92, 0.3)])
def test_the_best_threshold_parts_right_from_wrong(right: float, wrong: float) -> None:
    found = [seen(ONE, right), seen(OTHER, right), seen(FAR, wrong)]
    best = best_threshold(truth(ONE, OTHER), found)
    assert 0.3 <= best <= 0.9
    assert wrong < best <= right


def test_of_thresholds_that_are_as_good_the_middle_one_is_taken() -> None:
    found = [seen(ONE, 0.83), seen(OTHER, 0.83), seen(FAR, 0.42)]
    assert best_threshold(truth(ONE, OTHER), found) == 0.6  # of 0.45, 0.5 ... 0.8


def test_detections_are_in_pixels_of_the_frame_and_named_as_the_labels_name_them() -> None:
    torch.manual_seed(0)
    network = build(INSTANCES)
    card = Card("blur", "mask_rcnn", ("thing",), INSTANCES, {"min_size": 64})
    segmenter = Segmenter(network, card, score_threshold=0.3)
    frames = [(index, frame) for index, frame in toy_street.frames() if index < 5]
    found = detect(segmenter, frames, [{"id": 9, "name": "thing"}], group=2)
    assert {one["image_id"] for one in found} <= set(range(5))
    assert {one["category_id"] for one in found} == {9}
    for one in found:
        x, y, width, height = one["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + width <= toy_street.WIDTH + 1e-3
        assert y + height <= toy_street.HEIGHT + 1e-3
        assert one["segmentation"]["size"] == [toy_street.HEIGHT, toy_street.WIDTH]
    assert max(one["bbox"][0] + one["bbox"][2] for one in found) > 86  # scaled back up
    alone = detect(segmenter, frames[2:3], [{"id": 9, "name": "thing"}])
    assert alone == [one for one in found if one["image_id"] == 2]
    assert detect(segmenter, frames, [{"id": 9, "name": "something else"}]) == []
    cut = [frames[0], (7, np.ascontiguousarray(frames[2][1][:96])), *frames[2:3]]
    mixed = detect(segmenter, cut, [{"id": 9, "name": "thing"}])
    assert [one for one in mixed if one["image_id"] == 2] == alone
    assert {tuple(one["segmentation"]["size"]) for one in mixed if one["image_id"] == 7} == {
        (96, toy_street.WIDTH)
    }
