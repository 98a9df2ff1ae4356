"""Silence counts against a source only while something should come of it."""

from __future__ import annotations

import time

from pipeline.media.pulse import Pulse

LONG_S = 100.0


def silent() -> Pulse:
    """A pulse of a source that plays, and brought nothing for long."""
    pulse = Pulse()
    pulse.played()
    pulse.heard -= LONG_S
    return pulse


def test_a_source_that_brings_nothing_is_silent() -> None:
    assert silent().silent_s >= LONG_S


def test_waiting_on_purpose_is_no_silence() -> None:
    pulse = silent()
    pulse.turn("waiting", "nobody is there")
    assert pulse.silent_s == 0


def test_silence_that_is_ours_is_excused_and_counts_anew_afterwards() -> None:
    pulse = silent()
    before = time.monotonic()
    with pulse.excused():
        assert pulse.silent_s == 0
    assert 0 <= pulse.silent_s <= time.monotonic() - before
    assert pulse.played_s == 0
