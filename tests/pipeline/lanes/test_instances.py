from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from models.card import CheckpointError
from pipeline.lanes.instances import JUST_AFTER_S, InstanceAggregator, InstancesLane
from pipeline.masks import encode
from pipeline.records import Event, Failure, InstanceMask, Mark, Prediction, Span
from pipeline.testing import plain_card
from tests import networks

RATE = 5
CARD = plain_card("mask_rcnn", ("person",))
SOLID = encode(np.ones((2, 2), bool))


def mark(index: int) -> Mark:
    span = Span(Fraction(index, RATE), Fraction(index, RATE) + Fraction(1, 25))
    return Mark("a", "instances", index, span, 1, (640, 480))


def person(x: float, score: float = 0.9) -> InstanceMask:
    return InstanceMask("person", score, (x, 100, x + 50, 220), SOLID)


def seen(index: int, *people: InstanceMask) -> Prediction:
    return Prediction(mark(index), instances=people)


def follow(*answers: Prediction | Failure) -> list[list[Event]]:
    aggregator = InstanceAggregator("a", "instances", CARD, RATE)
    out = [list(aggregator.push(answer)) for answer in answers]
    assert list(aggregator.flush()) == []
    return out


def tracks(frames: list[list[Event]]) -> list[list[int | None]]:
    return [[e.instance.track_id if e.instance else None for e in events] for events in frames]


def test_two_people_are_two_tracks() -> None:
    found = tracks(follow(*(seen(n, person(100 + 4 * n), person(400 - 4 * n)) for n in range(8))))
    one, other = found[-1]
    assert one is not None and other is not None and one != other
    assert all(ids == [one, other] for ids in found[2:])


def test_every_instance_is_an_event_of_its_frame() -> None:
    (events,) = follow(seen(0, person(100), person(400, score=0.2)))
    assert [event.span for event in events] == [mark(0).span] * 2
    assert [event.score for event in events] == [0.9, 0.2]
    assert all(event.instance and event.instance.rle == SOLID for event in events)


def test_what_is_seen_once_is_no_track() -> None:
    found = tracks(follow(seen(0, person(100)), seen(1), seen(2), seen(3)))
    assert found == [[None], [], [], []]


def test_a_person_who_was_hidden_for_a_moment_keeps_the_track() -> None:
    hidden = [seen(5), Failure(mark(6), "RuntimeError")]
    before = [seen(n, person(100)) for n in range(5)]
    found = tracks(follow(*before, *hidden, seen(7, person(100)), seen(8, person(100))))
    assert found[4] == found[8] != [None]


def after_a_still(index: int, since: int, *people: InstanceMask) -> Prediction:
    still = Span(mark(since).span.start, mark(index).span.start)
    return Prediction(replace(mark(index), gated=still), instances=people)


def test_who_stands_still_keeps_the_track_over_a_gated_stretch() -> None:
    before = [seen(n, person(100)) for n in range(5)]
    beats = [after_a_still(n, 5, person(100)) for n in (50, 100, 150)]
    after = [seen(n, person(100)) for n in (151, 152)]
    *_, found = tracks(follow(*before, *beats, *after))
    (track,) = found
    assert track is not None
    assert tracks(follow(*before, *beats, *after))[4:] == [[track]] * 6


def test_without_a_gate_so_long_a_time_ends_the_track() -> None:
    before = [seen(n, person(100)) for n in range(5)]
    found = tracks(follow(*before, *(seen(n, person(100)) for n in (50, 51, 52))))
    assert found[4] != found[-1]


def test_the_watermark_is_just_after_the_last_frame() -> None:
    aggregator = InstanceAggregator("a", "instances", CARD, RATE)
    assert aggregator.watermark is None
    list(aggregator.push(Failure(mark(3), "RuntimeError")))
    assert aggregator.watermark == mark(3).span.end + JUST_AFTER_S


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    weights = networks.sound_lane(tmp_path).weights
    with pytest.raises(CheckpointError, match="the instances lane needs a mask_rcnn"):
        InstancesLane(kind="instances", weights=weights).build("cpu")
