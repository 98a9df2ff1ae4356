"""Arrivals by this machine's clocks: one that is set, and pauses."""

from __future__ import annotations

import time

import pytest

from pipeline.media.arrivals import MOST_AHEAD_S, Arrivals


def test_a_clock_that_is_set_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = Arrivals()
    assert arrivals.wall()[1] == 0.0
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 3600.0)
    assert arrivals.wall()[1] == pytest.approx(3600, abs=0.1)
    assert arrivals.wall()[1] == 0.0


def test_time_may_jump_as_far_as_a_pause_was_long() -> None:
    arrivals = Arrivals()
    assert arrivals.longest_jump(100.0, 100.1) == MOST_AHEAD_S
    assert arrivals.longest_jump(100.1, 700.1) == MOST_AHEAD_S + 600
    assert arrivals.longest_jump(700.1, 700.2) == MOST_AHEAD_S + 600
    assert arrivals.longest_jump(711.0, 711.1) == MOST_AHEAD_S
