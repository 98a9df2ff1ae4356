"""Pictures are cut, mixed and varied, and masks stay with their pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.augmenter import Augmenter
from models.training.instance_data import Instance, Labelled


def coloured(count: int, size: tuple[int, int] = (400, 360)) -> list[Labelled]:
    """Grey pictures whose instances, and nothing else, are bright red."""
    rng = np.random.default_rng(4)
    made = []
    for _ in range(count):
        picture = np.full((size[1], size[0], 3), 60, np.uint8)
        things = []
        for top in (40, 200):
            mask = cv2.ellipse(np.zeros((90, 40), np.uint8), (20, 45), (19, 44), 0, 0, 360, 1, -1)
            left = int(rng.integers(0, size[0] - 40))
            picture[top : top + 90, left : left + 40][mask > 0] = (230, 20, 20)
            things.append(Instance(1, left, top, mask > 0))
        made.append(Labelled(picture, tuple(things)))
    return made


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans())
def test_masks_stay_with_their_pictures(seed: int, with_background: bool) -> None:
    background = np.full((360, 400, 3), 60, np.uint8) if with_background else None
    augmenter = Augmenter(coloured(3), seed, background)
    for _ in range(3):
        picture, target = augmenter.sample()
        assert picture.shape == (256, 256, 3)
        red = picture[..., 0].astype(int) - picture[..., 1] > 60
        union = target["masks"].numpy().any(0) if len(target["masks"]) else np.zeros_like(red)
        core = cv2.erode(union.astype(np.uint8), np.ones((5, 5))) > 0
        # What a mask covers is red; what is red may also be a thing too hidden to be labelled.
        assert (core & ~red).sum() <= 0.02 * max(50, core.sum())
        for box, mask in zip(target["boxes"], target["masks"], strict=True):
            rows, columns = torch.nonzero(mask, as_tuple=True)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == [float(edge) for edge in edges]
        assert len(target["labels"]) == len(target["boxes"])


def test_the_same_seed_makes_the_same_batches() -> None:
    ones, others = (Augmenter(coloured(2), seed=5).batches(2) for _ in range(2))
    for _ in range(3):
        (pictures, targets), (again, wanted) = next(ones), next(others)
        assert pictures.shape == (2, 256, 256, 3)
        assert np.array_equal(pictures, again)
        for one, other in zip(targets, wanted, strict=True):
            assert all(torch.equal(one[key], other[key]) for key in one)
    different = next(Augmenter(coloured(2), seed=6).batches(2))[0]
    assert not np.array_equal(different, next(Augmenter(coloured(2), seed=5).batches(2))[0])


def test_what_moves_without_a_label_is_painted_over() -> None:
    (labelled,) = coloured(1)
    first = labelled.instances[:1]  # the second person has lost the label
    background = np.full_like(labelled.picture, 60)
    augmenter = Augmenter([Labelled(labelled.picture, first)], 0, background)
    canvas = augmenter._repainted(Labelled(labelled.picture, first))
    left, top = labelled.instances[1].left, labelled.instances[1].top
    assert canvas[top + 45, left + 20].tolist() == [60, 60, 60]
    kept = first[0]
    assert canvas[kept.top + 45, kept.left + 20].tolist() == [230, 20, 20]


def test_without_a_thing_there_is_nothing_to_learn() -> None:
    (labelled,) = coloured(1)
    crowd = Instance(0, 5, 5, np.ones((20, 20), np.bool_))
    with pytest.raises(ValueError, match="nothing can be learnt"):
        Augmenter([Labelled(labelled.picture, (crowd,))], seed=0)


@pytest.mark.parametrize("scene", [None, 60])
def test_a_crowd_is_painted_over_too(scene: int | None) -> None:
    """With the empty scene where it is known, with a mean colour where not."""
    (labelled,) = coloured(1)
    thing, other = labelled.instances
    crowd = Instance(0, other.left, other.top, other.mask)
    picture = labelled.picture
    background = None if scene is None else np.full_like(picture, scene)
    augmenter = Augmenter([Labelled(picture, (thing, crowd))], 0, background)
    canvas = augmenter._repainted(Labelled(picture, (thing, crowd)))
    middle = canvas[other.top + 45, other.left + 20]
    assert middle[0] < 120 if scene is None else (middle == scene).all()
    assert canvas[thing.top + 45, thing.left + 20, 0] == 230


def test_pictures_smaller_than_a_crop_and_people_at_their_border_will_do() -> None:
    picture = np.full((90, 110, 3), 60, np.uint8)
    thing = Instance(1, 80, 0, np.ones((90, 30), bool))
    augmenter = Augmenter([Labelled(picture, (thing,))], seed=2)
    seen = [len(augmenter.sample()[1]["boxes"]) for _ in range(12)]
    assert max(seen) > 0
