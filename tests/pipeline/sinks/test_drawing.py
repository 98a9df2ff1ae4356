from fractions import Fraction

import numpy as np
import pytest

from pipeline import masks
from pipeline.records import InstanceMask
from pipeline.sinks.drawing import draw_band, draw_shapes, draw_time, shape_of
from pipeline.sinks.palette import rgb, track_colour
from tests.pipeline.sinks.scenes import disc, labelled

GREY = 100


def instance(mask: np.ndarray, box: tuple[float, float, float, float]) -> InstanceMask:
    return InstanceMask("person", 0.9, box, masks.encode(mask), 3)


def test_the_mask_is_tinted_and_nothing_else_but_its_frame_and_name() -> None:
    mask = disc(200, 150, 40, 320, 240)
    picture = np.full((240, 320, 3), GREY, np.uint8)
    shape = shape_of(instance(mask, (158, 108, 243, 193)), "#000000", 320, 240)
    draw_shapes(picture, [shape])
    inner = disc(200, 150, 35, 320, 240)
    tint = GREY * 0.58 + np.array(rgb(track_colour(3))) * 0.42
    assert np.allclose(picture[inner], tint, atol=1)
    outside = np.ones((240, 320), bool)
    outside[90:196, 155:320] = False
    assert (picture[outside] == GREY).all()
    between = ~disc(200, 150, 44, 320, 240)
    between[:110], between[191:], between[:, :160], between[:, 241:] = (False,) * 4
    assert (picture[between] == GREY).all()


def test_the_label_s_colour_is_used_without_a_track() -> None:
    mask = disc(40, 32, 10, 96, 64)
    one = InstanceMask("person", 0.5, (30, 22, 51, 43), masks.encode(mask))
    shape = shape_of(one, "#123456", 96, 64)
    assert (shape.colour, shape.text) == ("#123456", "person  0.50")


@pytest.mark.parametrize("box", [(-9, -9, 5, 5), (90, 60, 120, 90), (0, 0, 96, 64), (5, 5, 5, 5)])
def test_boxes_over_the_edge_are_cut(box: tuple[float, float, float, float]) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    draw_shapes(picture, [shape_of(instance(disc(2, 2, 8, 96, 64), box), "#000000", 96, 64)])
    assert picture.any()


def test_names_of_things_in_one_place_are_stacked() -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    mask = np.zeros((240, 320), bool)
    things = [
        InstanceMask("person", 0.9, (100 + n, 150, 140, 200), masks.encode(mask), n)
        for n in range(3)
    ]
    draw_shapes(picture, [shape_of(thing, "#000000", 320, 240) for thing in things])
    painted = [(picture[:150] == rgb(track_colour(n))).all(axis=2).sum() for n in range(3)]
    assert min(painted) > 0.8 * max(painted)


def test_an_empty_mask_leaves_box_and_name() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    empty = instance(np.zeros((64, 96), bool), (30, 30, 60, 50))
    draw_shapes(picture, [shape_of(empty, "#000000", 96, 64)])
    assert picture[30, 60].tolist() == list(rgb(track_colour(3)))
    assert not picture[40, 45].any()


def test_a_mask_of_another_size_is_scaled() -> None:
    shape = shape_of(instance(disc(20, 16, 8, 48, 32), (24, 16, 57, 49)), "#000000", 96, 64)
    assert abs(int(shape.mask.sum()) - 4 * int(disc(20, 16, 8, 48, 32).sum())) < 40


def test_the_band_wraps_and_stays_inside() -> None:
    labels = ["alarm", "ein sehr langer Name", "speech", "\u72ac", "", "x" * 60]
    spans = [labelled("sound", 0, 1, label) for label in labels]
    picture = np.full((240, 320, 3), GREY, np.uint8)
    draw_band(picture, spans, dict.fromkeys(labels, "#d55e00"))
    assert (picture[:60] == GREY).all()
    assert (picture[200:, :100] != GREY).any()
    small = np.full((24, 32, 3), GREY, np.uint8)
    draw_band(small, spans, dict.fromkeys(labels, "#d55e00"))
    draw_time(small, Fraction(3599))


def test_times_look_different_and_stand_in_the_corner() -> None:
    one, other = (np.full((240, 320, 3), GREY, np.uint8) for _ in range(2))
    draw_time(one, Fraction(1, 3))
    draw_time(other, Fraction(2, 3))
    assert (one != other).any()
    assert (one[40:] == GREY).all() and (one[:, :200] == GREY).all()
