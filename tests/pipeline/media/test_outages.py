"""What broke a live stream off, and for how long: of the medium that lacks most."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.errors import SourceError, SourceLost, SourceUnreadable
from pipeline.media.outages import Broke, Outages, why_of
from pipeline.records import Gap, Medium, Span


def gap(medium: Medium, seconds: int) -> Gap:
    return Gap(medium, Span(Fraction(10), Fraction(10 + seconds)), "the sender ended the stream")


def test_the_medium_that_lacks_most_says_how_long_it_was_away() -> None:
    outages = Outages(goes_on=False)
    outages.began("ended")
    outages.over(gap("video", 3))
    outages.over(gap("audio", 2))
    outages.began("broke_off")
    outages.over(gap("audio", 4))
    assert outages.totals == {"ended": 1, "broke_off": 1}
    assert outages.seconds == 6.0


@pytest.mark.parametrize(("goes_on", "seconds"), [(True, 7.0), (False, 0.0)])
def test_what_lies_before_the_watch_is_no_outage_of_it(goes_on: bool, seconds: float) -> None:
    outages = Outages(goes_on=goes_on)
    outages.over(gap("video", 7))
    assert (outages.totals, outages.seconds) == ({}, seconds)


def test_files_that_follow_one_another_are_an_outage_only_with_a_gap_between() -> None:
    outages = Outages(goes_on=False)
    outages.perhaps("no_new_file", 5.0)
    outages.over(gap("audio", 1))
    assert outages.totals == {}
    outages.over(gap("video", 9))
    outages.over(gap("audio", 8))
    assert (outages.totals, outages.seconds) == ({"no_new_file": 1}, 9.0)


@pytest.mark.parametrize(
    ("error", "fallen", "why"),
    [
        (SourceLost("it broke off"), None, "broke_off"),
        (SourceLost("its audio fell silent"), "audio", "fell_silent"),
        (SourceUnreadable("no picture could be decoded"), None, "unreadable"),
    ],
)
def test_an_end_has_a_word_for_it(error: SourceError, fallen: Medium | None, why: Broke) -> None:
    assert why_of(error, fallen) == why
