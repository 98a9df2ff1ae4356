"""Cutting people out of a labelled stream."""

from __future__ import annotations

import numpy as np
import pytest

from models.training.stage import make_stage
from tests.models.training import toy_street as toy


def test_people_are_cut_out_in_runs_and_face_the_way_they_went() -> None:
    stage = make_stage(toy.frames(), toy.coco(), toy.background())
    assert sorted(walker.facing for walker in stage.walkers) == [-1, 1]
    assert all(len(walker.cutouts) == toy.FRAMES for walker in stage.walkers)
    for walker in stage.walkers:
        rgba = walker.cutouts[0].rgba
        assert rgba.shape[1] == rgba.shape[0] // 3
        assert rgba[..., 3].min() == 1
        assert rgba[..., 0].max() == pytest.approx(40 / 255)


def test_heights_grow_towards_the_camera_as_they_did_in_the_stream() -> None:
    stage = make_stage(toy.frames(), toy.coco(), toy.background())
    np.testing.assert_allclose(stage.height_at(np.array([70.0, 95.0, 120.0])), [30, 37.5, 45])


def test_a_gap_in_a_track_ends_the_run() -> None:
    coco = toy.coco()
    coco["annotations"] = [a for a in coco["annotations"] if a["image_id"] != 18]
    stage = make_stage(toy.frames(), coco, toy.background(), shortest=18)
    assert sorted(len(walker.cutouts) for walker in stage.walkers) == [18, 18, 21, 21]


def test_people_at_the_border_and_groups_are_left_out() -> None:
    coco = toy.coco()
    for annotation in coco["annotations"]:
        if annotation["track_id"] == 1:
            annotation["bbox"][0] = 0
    stage = make_stage(toy.frames(), coco, toy.background())
    assert [walker.facing for walker in stage.walkers] == [-1]


def test_a_stream_without_people_is_refused() -> None:
    with pytest.raises(ValueError, match="only 0 people"):
        make_stage(toy.frames(), {"annotations": []}, toy.background())
    coco = toy.coco()
    for annotation in coco["annotations"]:
        annotation["track_id"] = annotation["id"]
    with pytest.raises(ValueError, match="15 frames in a row"):
        make_stage(toy.frames(), coco, toy.background())
