"""The supervisor's loop: whoever hangs, it goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.run.live import tended
from pipeline.run.live.supervise import Supervisor
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
