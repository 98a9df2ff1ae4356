"""Masks that cannot be what they claim are told, and good ones are not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from models.training.coco_masks import flaw_of

SIZE = (5, 4)  # width, height


@pytest.mark.parametrize(
    ("segmentation", "why"),
    [
        (None, "has no mask"),
        ([], "has no mask"),
        (7, "neither polygons nor run lengths"),
        ([[1, 1, 4, 1]], "a polygon of 4 numbers; at least three points"),
        ([[1, 1, 4, 1, 4, 4, 1]], "a polygon of 7 numbers"),
        ([["a", 1, 4, 1, 4, 4]], "not a list of numbers"),
        ([[float("nan"), 1, 4, 1, 4, 4]], "not a list of numbers"),
        ([[-50, -50, -40, -50, -40, -40]], r"reaches outside its picture: \(-50, -50\) in 5x4"),
        ([[1, 1, 4, 1, 4, 9]], r"reaches outside its picture: \(4, 9\) in 5x4"),
        ([[1, 1, 1, 1, 1, 1]], "an empty mask"),
        ({"size": [4, 5], "counts": [20]}, "an empty mask"),
        ({"size": [5, 4], "counts": [20]}, "a mask that is 4x5; the image is 5x4"),
        ({"counts": [20]}, "a mask that is of no size"),
        ({"size": [4, 5]}, "run lengths that cannot be read"),
        ({"size": [4, 5], "counts": [5, -3, 18]}, "run lengths that cannot be read"),
        ({"size": [4, 5], "counts": [5, 3]}, "run lengths of 8 pixels; the image has 20"),
        ({"size": [4, 5], "counts": "53"}, "run lengths of 8 pixels; the image has 20"),
        ({"size": [4, 5], "counts": "o"}, "run lengths that cannot be read"),
        ({"size": [4, 5], "counts": "\u00e9"}, "run lengths that cannot be read"),
    ],
)
def test_flaws_are_told(segmentation: Any, why: str) -> None:
    found = flaw_of({"segmentation": segmentation}, SIZE)
    assert found is not None
    assert re.search(why, found)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[0, 0, 5, 0, 5, 4, 0, 4]],
        [[-1.5, 0, 6, 0, 6, 4]],
        [[0, 0, 2, 0, 2, 2], [3, 2, 5, 2, 5, 4]],
        {"size": [4, 5], "counts": [5, 3, 12]},
        {"size": [4, 5], "counts": [0, 20]},
    ],
)
def test_good_masks_have_no_flaw(segmentation: Any) -> None:
    assert flaw_of({"segmentation": segmentation}, SIZE) is None


@given(arrays.arrays(np.uint8, (7, 11), elements=st.integers(0, 1)))
def test_what_pycocotools_writes_is_read(mask: np.ndarray) -> None:
    coded = coco_mask.encode(np.asfortranarray(mask))
    for counts in (coded["counts"], coded["counts"].decode()):
        flaw = flaw_of({"segmentation": {"size": [7, 11], "counts": counts}}, (11, 7))
        assert (flaw is None) == mask.any()
    cut = {"size": [7, 12], "counts": coded["counts"]}
    assert "pixels; the image has 84" in str(flaw_of({"segmentation": cut}, (12, 7)))
