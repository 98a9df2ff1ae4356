import numpy as np
import pytest
from pycocotools import mask as coco_mask

from models.mask_rcnn import Found
from models.runtime import ExportRefused
from models.runtime.equality import Agreement, best_match


def thing(left: int, label: str = "person", score: float = 0.9) -> Found:
    bitmap = np.zeros((20, 40), np.uint8, order="F")
    bitmap[5:15, left : left + 10] = 1
    counts = coco_mask.encode(bitmap)["counts"].decode("ascii")
    return Found(label, score, (left, 5.0, left + 10.0, 15.0), ((20, 40), counts))


def test_the_nearest_thing_of_the_same_label_is_matched() -> None:
    match = best_match(thing(10), [thing(30), thing(10, "car"), thing(12, score=0.8)])
    assert match.box_iou == pytest.approx(8 / 12)
    assert match.mask_iou == pytest.approx(8 / 12)
    assert match.logit_error == pytest.approx(np.log(9) - np.log(4))


def test_nothing_of_that_label_is_no_overlap() -> None:
    assert best_match(thing(10), [thing(10, "car")]).mask_iou == 0


@pytest.mark.parametrize(
    ("agreement", "told"),
    [
        (Agreement("", logit_error=0.01), "a logit differs by 0.01"),
        (Agreement("", logit_error=float("nan")), "a logit differs by nan"),
        (Agreement("", box_iou=0.97, mask_iou=1.0, things=3), "mean box IoU is 0.970"),
        (Agreement("", box_iou=1.0, mask_iou=0.9, things=3), "mean mask IoU is 0.900"),
        (Agreement("", box_iou=1.0, mask_iou=1.0, things=0), "finds nothing"),
    ],
)
def test_what_is_out_of_bounds_is_refused(agreement: Agreement, told: str) -> None:
    with pytest.raises(ExportRefused, match=told):
        agreement.require("it", "float32")


def test_bfloat16_may_differ_by_more() -> None:
    agreement = Agreement("", logit_error=0.1, box_iou=0.96, mask_iou=0.96, things=3)
    assert agreement.failures("float32")
    assert not agreement.failures("bfloat16")
