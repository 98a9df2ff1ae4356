from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.sinks.palette import COLOURS, ink_on, label_colours, rgb, track_colour

# Machado, Oliveira, Fernandes 2009: what is left of linear RGB at full severity.
VISION = {
    "usual": np.eye(3),
    "without green cones": np.array(
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
    ),
    "without red cones": np.array(
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> NDArray[np.float64]:
    value = np.array(rgb(colour)) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = np.cbrt(TO_XYZ @ light.clip(0, 1) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_any_two_colours_are_told_apart(vision: str) -> None:
    views = [lab(VISION[vision] @ linear(colour)) for colour in COLOURS]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(views, 2)) > 12


@pytest.mark.parametrize("colour", COLOURS)
def test_ink_is_readable_on_every_colour(colour: str) -> None:
    ink, ground = (0.05 + (TO_XYZ @ linear(c))[1] for c in (ink_on(colour), colour))
    assert max(ink, ground) / min(ink, ground) >= 4.5


@given(st.sets(st.text(max_size=8), max_size=len(COLOURS)), st.randoms())
def test_labels_get_different_colours_in_any_order(labels: set[str], random: object) -> None:
    shuffled = list(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert label_colours(shuffled) == label_colours(labels)
    assert len(set(label_colours(labels).values())) == len(labels)


def test_more_labels_than_colours_share_evenly() -> None:
    colours = list(label_colours(f"label {n}" for n in range(3 * len(COLOURS))).values())
    assert {colours.count(colour) for colour in COLOURS} == {3}


def test_neighbouring_tracks_differ() -> None:
    assert all(track_colour(n) != track_colour(n + 1) for n in range(20))
