import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.masks import area, cut, decode, encode, iou
from pipeline.records import Rle

masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20)))


@given(masks)
def test_a_mask_comes_back_as_it_was(mask: np.ndarray) -> None:
    rle = encode(mask)
    assert (rle.height, rle.width) == mask.shape
    assert np.array_equal(decode(rle), mask)
    assert area(rle) == mask.sum()


@given(masks)
def test_a_cut_is_the_covered_part_and_no_more(mask: np.ndarray) -> None:
    left, top, covered = cut(encode(mask))
    height, width = covered.shape
    rest = mask.copy()
    rest[top : top + height, left : left + width] = False
    assert not rest.any()
    assert np.array_equal(covered, mask[top : top + height, left : left + width])
    assert all(
        edge.any() for edge in (covered[:1], covered[-1:], covered.T[:1], covered.T[-1:])
    ) or (not mask.any() and covered.size == 0)


def test_long_runs_are_cut_right() -> None:
    mask = np.zeros((1080, 1920), bool)
    mask[3:1000, 1700:1900] = True
    left, top, covered = cut(encode(mask))
    assert (left, top, covered.shape, covered.all()) == (1700, 3, (997, 200), True)


def test_runs_are_column_major_and_start_with_background() -> None:
    # (H, W) = (2, 3), only the first column: runs 0 background, 2 mask, 4 background.
    mask = np.array([[1, 0, 0], [1, 0, 0]], bool)
    assert encode(mask) == Rle(2, 3, "024")


@given(st.data())
def test_overlap_is_that_of_the_pixels(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    one = data.draw(hnp.arrays(np.bool_, shape))
    other = data.draw(hnp.arrays(np.bool_, shape))
    union = (one | other).sum()
    expected = (one & other).sum() / union if union else 0.0
    assert iou(encode(one), encode(other)) == pytest.approx(expected)


def test_masks_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="2x3 and 3x2"):
        iou(encode(np.ones((2, 3), bool)), encode(np.ones((3, 2), bool)))
