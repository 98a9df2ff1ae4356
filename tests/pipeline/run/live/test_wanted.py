"""What is wanted of streams: each change is told once, and the latest counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import ConfigError
from pipeline.media.address import LiveAddress
from pipeline.run.live.tended import StreamPlan
from pipeline.run.live.wanted import Wanted

YARD = StreamPlan("yard", LiveAddress("rtsp", "rtsp://10.0.0.4/main"), ())
OTHER = replace(YARD, weight=2.0)


def test_a_change_is_told_once_and_as_it_is_by_then() -> None:
    wanted = Wanted()
    wanted.want(YARD)
    wanted.want(OTHER)
    assert wanted.changes() == {"yard": OTHER}
    assert wanted.changes() == {}
    wanted.drop("yard")
    assert wanted.changes() == {"yard": None}
    assert wanted.plans() == {}


def test_one_that_ended_by_itself_is_wanted_no_more_unless_by_another_plan() -> None:
    wanted = Wanted()
    wanted.want(OTHER)
    wanted.over(YARD)
    assert wanted.plan("yard") == OTHER
    wanted.over(OTHER)
    assert wanted.plan("yard") is None


def test_what_is_not_there_can_neither_end_nor_begin_anew() -> None:
    wanted = Wanted()
    wanted.want(YARD)
    with pytest.raises(ConfigError, match="there are yard"):
        wanted.drop("gate")
    with pytest.raises(ConfigError, match="there are yard"):
        wanted.restart("gate")
    with pytest.raises(ConfigError, match="already"):
        wanted.want(YARD, new=True)
    wanted.restart("yard")
    assert wanted.restarts() == ["yard"]
    assert wanted.restarts() == []


def test_nothing_begins_while_everything_ends() -> None:
    wanted = Wanted()
    wanted.want(YARD)
    wanted.changes()
    wanted.end()
    assert wanted.changes() == {"yard": None}
    with pytest.raises(ConfigError, match="ending"):
        wanted.want(YARD)
