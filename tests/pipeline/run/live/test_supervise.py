"""The supervisor's loop: whoever hangs, it goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.run.live import tended
from pipeline.run.live.fleet import Fleet
from pipeline.run.live.supervise import Supervisor
from pipeline.run.live.tended import StreamPlan
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane
from tests.pipeline.run.fleets import Fleeting, fleeting

WITHIN_S = 30.0


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleeting]:
    with fleeting(tmp_path) as fleet:
        yield fleet
        fleet.supervisor.close()


def until(supervisor: Supervisor, there: Callable[[], object]) -> None:
    latest = time.monotonic() + WITHIN_S
    while not there():
        assert time.monotonic() < latest
        supervisor.tick()


def reasons(supervisor: Supervisor) -> dict[str, str]:
    return {status.name: status.reason for status in supervisor.statuses()}


def hanging(folder: Path) -> Path:
    """A folder whose summary takes as long to read as it takes until somebody writes it."""
    folder.mkdir(parents=True)
    os.mkfifo(folder / "summary.json")
    return folder / "summary.json"


def test_a_disk_that_hangs_holds_up_nobody_else(
    fleet: Fleeting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tended, "SLOW_S", 0.0)
    summary = hanging(tmp_path / "out" / "yard")
    supervisor = fleet.supervisor
    timeline = tmp_path / "out" / "gate" / "timeline"
    until(supervisor, lambda: timeline.is_dir() and any(timeline.iterdir()))
    assert reasons(supervisor) == {"yard": tended.SLOW, "gate": ""}
    plan = supervisor.plans()["yard"]
    supervisor.drop("yard")  # one that never began has nothing to close
    until(supervisor, lambda: set(reasons(supervisor)) == {"gate"})
    supervisor.want(plan)
    until(supervisor, lambda: "yard" in reasons(supervisor))
    assert supervisor.silent_s < WITHIN_S
    summary.write_text("{}")
    until(supervisor, lambda: reasons(supervisor)["yard"] == "")
    [old] = (tmp_path / "out" / "yard").glob("summary-*.json")
    assert old.is_fifo()


@pytest.mark.slow
def test_a_stream_that_ends_leaves_its_events_and_no_series(film: Path, tmp_path: Path) -> None:
    lane, metrics, pages = brightness_lane(batch=2), Metrics(), list[str]()
    plan = StreamPlan("yard", LiveAddress("file", str(film), realtime=True), (lane,))
    value = metrics.registry.get_sample_value
    with LocalCrew() as crew:
        fleet = Fleet((lane,), tmp_path, threads=1, spare=False)
        supervisor = Supervisor(crew, fleet, metrics, lambda _: None)
        assert value("witness_lane_ready", {"lane": lane.name}) == 0
        until(supervisor, lambda: supervisor.ready)
        supervisor.want(plan)
        until(supervisor, lambda: value("witness_stream_up", {"stream": "yard"}) == 1)
        analysed = partial(value, "witness_analysed_total", {"stream": "yard", "lane": lane.name})
        until(supervisor, analysed)
        pages.append(metrics.page())
        newest = value("witness_stream_newest_frame_timestamp_seconds", {"stream": "yard"})
        until(supervisor, lambda: not supervisor.statuses())
        pages.append(metrics.page())
        supervisor.close()
    assert newest is not None
    assert abs(time.time() - newest) < WITHIN_S
    for told in (
        'witness_lane_ready{lane="brightness"} 1.0',
        "witness_pool_members_ready 1.0",
        'witness_model_info{lane="brightness",name="plain-brightness"',
        'engine="local"',
        'witness_decode_seconds_total{stream="yard",medium="video"}',
        'witness_stage_seconds_count{stage="queue",lane="brightness"}',
        'witness_stage_seconds_count{stage="settle",lane="brightness"}',
        'witness_sink_failing{stream="yard"} 0.0',
        'witness_stream_behind_seconds{stream="yard"}',
        'witness_books_open{stream="yard",lane="brightness"}',
    ):
        assert told in pages[0]
    assert 'stream="yard"' not in pages[1]
    assert "witness_books_not_closed_total 0.0" in pages[1]
    [journal] = (tmp_path / "yard" / "events").glob("*.jsonl")
    assert journal.read_text()
