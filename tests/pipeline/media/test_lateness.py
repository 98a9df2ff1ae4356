"""Media time against wall time: ties, lag, and jumps to live."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.media.lateness import Lateness


def test_the_promptest_packet_is_the_measure() -> None:
    lateness = Lateness()
    assert lateness.begins(1000.0, Fraction(0)) == 0
    for media, now in ((0, 1000.3), (1, 1001.1), (2, 1002.9)):
        lateness.note(Fraction(media), now, "video", keyframe=True)
    assert round(lateness.late_s, 2) == 0.8
    assert lateness.tie is not None
    assert round(lateness.tie.wall_of(Fraction(2)), 2) == 1002.1


def test_a_connection_begins_where_the_wall_clock_says() -> None:
    lateness = Lateness()
    lateness.begins(1000.0, Fraction(0))
    assert lateness.begins(1060.5, Fraction(42)) == Fraction(121, 2)


def test_a_connection_never_begins_before_what_was_given_out() -> None:
    lateness = Lateness(epoch_s=1000.0)
    assert lateness.begins(1010.0, Fraction(12)) == 12


def test_a_stream_that_begins_anew_keeps_its_media_time() -> None:
    lateness = Lateness()
    assert lateness.begins(1000.0, Fraction(50)) == 50
    assert lateness.epoch_s == 950.0


def test_too_late_packets_are_jumped_over_until_a_prompt_key_frame() -> None:
    lateness = Lateness(max_lag_s=2.0)
    lateness.begins(1000.0, Fraction(0))
    wanted = []
    for media, late, keyframe in (
        (0, 0.0, True),
        (1, 1.9, False),
        (2, 2.1, False),
        (3, 1.5, True),  # not yet prompt enough: it would be too late again at once
        (4, 0.2, False),  # prompt, but it needs pictures that were jumped over
        (5, 0.1, True),
        (6, 0.1, False),
    ):
        now = 1000.0 + media + late
        wanted.append(lateness.note(Fraction(media), now, "video", keyframe=keyframe))
    assert wanted == [True, True, False, False, False, True, True]


@pytest.mark.parametrize("set_by", [-10, 3600])
def test_a_senders_clock_that_is_set_makes_nothing_late(set_by: int) -> None:
    lateness = Lateness(max_lag_s=2.0)
    lateness.begins(1000.0, Fraction(0))
    shift = Fraction(0)
    wanted = []
    for second in range(30):
        own = Fraction(second + (set_by if second >= 3 else 0))
        # An anchor knows the new clock at its second packet.
        shift = Fraction(-set_by) if second >= 5 else shift
        media = lateness.among([own + shift], 1000.0 + second, "video")
        assert (media is None) == (second in (3, 4))
        if media is not None:
            wanted.append(lateness.note(media, 1000.0 + second, "video", keyframe=True))
    assert all(wanted)
    assert lateness.late_s == 0
    assert lateness.tie is not None
    assert lateness.tie.wall_of(Fraction(20)) == 1020.0


def test_a_medium_may_still_go_by_the_clock_before() -> None:
    lateness = Lateness()
    lateness.begins(1000.0, Fraction(0))
    lateness.note(Fraction(5), 1005.0, "video", keyframe=True)
    lateness.note(Fraction(5), 1005.0, "audio", keyframe=True)
    assert lateness.among([Fraction(-30), Fraction(6)], 1006.0, "audio") == 6
    assert lateness.among([Fraction(6), Fraction(42)], 1006.0, "video") == 6


def test_an_odd_time_that_stays_is_believed() -> None:
    lateness = Lateness(max_lag_s=2.0)
    lateness.begins(1000.0, Fraction(0))
    lateness.note(Fraction(0), 1000.0, "video", keyframe=True)
    told = [lateness.among([Fraction(100 + n)], 1000.0, "video") for n in range(25)]
    assert told == [None] * 24 + [Fraction(124)]
    assert lateness.note(Fraction(124), 1000.0, "video", keyframe=False)


def test_a_pause_is_no_odd_time() -> None:
    lateness = Lateness()
    lateness.begins(1000.0, Fraction(0))
    lateness.note(Fraction(0), 1000.0, "video", keyframe=True)
    assert lateness.among([Fraction(30)], 1030.0, "video") == 30


def test_a_clock_of_ours_that_is_set_makes_nothing_late() -> None:
    lateness = Lateness(max_lag_s=2.0)
    lateness.begins(1000.0, Fraction(0))
    assert lateness.note(Fraction(0), 1000.0, "video", keyframe=True)
    lateness.clock_was_set(3600.0)
    assert lateness.note(Fraction(1), 4601.0, "video", keyframe=False)
    assert lateness.tie is not None
    assert lateness.tie.wall_of(Fraction(1)) == 4601.0
    assert lateness.begins(4610.0, Fraction(1)) == 10


def test_each_medium_comes_back_when_it_can() -> None:
    lateness = Lateness(max_lag_s=1.0)
    lateness.begins(0.0, Fraction(0))
    assert lateness.note(Fraction(0), 0.0, "video", keyframe=True)
    assert not lateness.note(Fraction(1), 3.0, "audio", keyframe=True)
    assert lateness.note(Fraction(2), 2.1, "audio", keyframe=True)
    assert not lateness.note(Fraction(2), 2.1, "video", keyframe=False)
    assert lateness.note(Fraction(3), 3.1, "video", keyframe=True)


def test_a_clock_that_drifts_gets_new_ties() -> None:
    lateness = Lateness()
    lateness.begins(0.0, Fraction(0))
    for second in range(3600):
        lateness.note(Fraction(second), second * (1 + 50e-6), "video", keyframe=True)
    assert lateness.late_s < 0.01
    assert lateness.tie is not None
    assert abs(lateness.tie.wall_of(Fraction(3599)) - 3599 * (1 + 50e-6)) < 0.06
