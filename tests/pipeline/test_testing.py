import pickle
from fractions import Fraction

import numpy as np
import pytest

from pipeline.lane import Lane
from pipeline.masks import area
from pipeline.predict import PoolMember
from pipeline.records import Event, Frame, Prediction
from pipeline.testing import (
    SOUND_HZ,
    blob_lane,
    brightness_lane,
    failing_lane,
    loudness_lane,
    scripted_frames,
    scripted_sound,
)

LANES = (brightness_lane(), blob_lane(), loudness_lane(), failing_lane(loudness_lane(), 2))


def run(lane: Lane, items: list[object]) -> list[Event]:
    windower, aggregator = lane.make_windower("a"), lane.make_aggregator("a")
    windows = [window for item in items for window in windower.push(item)]  # type: ignore[arg-type]
    windows += windower.flush()
    answers = PoolMember([lane]).predict(lane.name, windows).answers
    events = [event for answer in answers for event in aggregator.push(answer)]
    return events + list(aggregator.flush())


def flat(level: int) -> np.ndarray:
    return np.full((48, 64, 3), level, np.uint8)


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.name)
def test_the_lanes_travel(lane: Lane) -> None:
    again = pickle.loads(pickle.dumps(lane))
    assert (again.name, again.medium, again.card) == (lane.name, lane.medium, lane.card)
    assert type(again.make_predictor()) is type(lane.make_predictor())


def test_brightness_tells_dark_from_bright() -> None:
    frames = scripted_frames([flat(0)] * 10 + [flat(255)] * 10, Fraction(10))
    found = [(e.label, e.span.start, e.span.end) for e in run(brightness_lane(), list(frames))]
    assert found == [("dark", 0, 1), ("bright", 1, 2)]


def test_blobs_are_found_followed_and_outlined() -> None:
    images = []
    for step in range(6):
        image = flat(0)
        image[10:20, 8 + 2 * step : 20 + 2 * step] = 255
        images.append(image)
    found = run(blob_lane(), list(scripted_frames(images, Fraction(10), start=Fraction(1))))
    assert [event.span.start for event in found] == [1 + Fraction(n, 10) for n in range(6)]
    tracks = [event.instance.track_id for event in found if event.instance]
    assert len(set(tracks[2:])) == 1 and tracks[-1] is not None
    first = found[0].instance
    assert first is not None
    assert first.box == (8, 10, 20, 20)
    assert area(first.rle) == 120


def test_loudness_hears_a_tone() -> None:
    samples = np.zeros(SOUND_HZ * 2, np.float32)
    samples[SOUND_HZ : SOUND_HZ * 3 // 2] = 0.5
    found = run(loudness_lane(), list(scripted_sound(samples, SOUND_HZ, [100, 7000])))
    (loud,) = [event for event in found if event.label == "loud"]
    assert loud.span.start == 1
    assert Fraction(3, 2) <= loud.span.end <= Fraction(17, 10)  # the level decays


def test_scripted_frames_start_where_they_are_told() -> None:
    frames: list[Frame] = list(scripted_frames([flat(0)] * 2, Fraction(25), start=Fraction(2)))
    assert [frame.span.start for frame in frames] == [2, Fraction(51, 25)]
    assert [frame.index for frame in frames] == [0, 1]


def test_a_failing_lane_fails_on_every_nth_window_alone() -> None:
    lane = failing_lane(loudness_lane(), 2)
    windower = lane.make_windower("a")
    samples = np.zeros(SOUND_HZ, np.float32)
    windows = [w for chunk in scripted_sound(samples, SOUND_HZ, []) for w in windower.push(chunk)]
    answers = PoolMember([lane]).predict(lane.name, windows).answers
    assert [isinstance(answer, Prediction) for answer in answers] == [True, False, True, False]
