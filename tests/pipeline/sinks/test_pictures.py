import base64
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Span
from pipeline.sinks.instants import instants
from pipeline.sinks.pictures import encoded, jpeg, worth_a_picture
from tests.pipeline.sinks.scenes import labelled, seen


def test_few_analysed_frames_are_all_kept() -> None:
    moments = instants(seen(Fraction(n, 10)) for n in range(20))
    times = worth_a_picture(moments, [], Fraction(2))
    assert {moment.span.start for moment in moments} <= set(times)


def test_every_track_is_kept_at_its_surest() -> None:
    moments = instants(
        seen(Fraction(n, 10), track_id=n // 50, score=0.9 if n % 50 == 17 else 0.6)
        for n in range(1000)
    )
    times = set(worth_a_picture(moments, [], Fraction(100)))
    assert {Fraction(50 * track + 17, 10) for track in range(20)} <= times


def test_a_sound_is_kept_at_its_middle_snapped_to_what_was_seen_there() -> None:
    moments = instants([seen(Fraction(101, 10))])
    spans = [labelled("sound", 9, 11, "alarm"), labelled("sound", 50, 51, "alarm")]
    times = worth_a_picture(moments, spans, Fraction(1000), most=12)
    assert Fraction(101, 10) in times and Fraction(101, 2) in times


@given(
    st.lists(st.tuples(st.fractions(0, 3600), st.integers(0, 300)), max_size=80),
    st.lists(st.fractions(0, 3600), max_size=40),
    st.integers(1, 30),
)
def test_never_more_than_wanted_and_in_order(
    sightings: list[tuple[Fraction, int]], sounds: list[Fraction], most: int
) -> None:
    moments = instants(seen(time, track_id=track) for time, track in sightings)
    spans = [labelled("sound", start, start + 1, "alarm") for start in sounds]
    times = worth_a_picture(moments, spans, Fraction(3601), most=most)
    assert 1 <= len(times) <= most
    assert times == sorted(set(times))
    assert all(Span(Fraction(0), Fraction(3601)).overlaps(Span(t, t + 1)) for t in times)


@pytest.mark.parametrize("budget", [400_000, 100_000, 20_000])
def test_pictures_fit_the_budget(budget: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (12, 120, 160, 3), np.uint8)
    frames = [(Fraction(n), cv2.blur(frame, (5, 5))) for n, frame in enumerate(noise)]
    kept = list(encoded(frames, len(frames), budget))
    assert 1 <= len(kept) <= 12
    size = sum(len(base64.b64decode(one.address.split(",")[1])) for one in kept)
    assert size <= budget
    assert (kept[0].width, kept[0].height) == (160, 120)


def test_colours_survive_the_jpeg() -> None:
    orange = np.full((16, 16, 3), (230, 120, 20), np.uint8)
    back = cv2.imdecode(np.frombuffer(jpeg(orange, 90), np.uint8), cv2.IMREAD_COLOR)
    assert np.allclose(back[8, 8, ::-1], (230, 120, 20), atol=8)
