"""Streams that are added, changed and removed while others go on; and how everything ends."""

from __future__ import annotations

import json
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.media.address import LiveAddress
from pipeline.run.interrupt import SAME_S
from tests.live.conftest import Footage
from tests.live.running import Running, orphans, running
from tests.live.watching import Watching, report

pytestmark = pytest.mark.slow

DRAINED_WITHIN_S = 10.0
AT_ONCE_S = 3.0
FOLLOWED_WITHIN_S = 10.0
ORPHANS_WITHIN_S = 5.0


def film(name: str, footage: Footage, **more: Any) -> str:
    """A stream in the file: a clip that plays for ever at its own pace."""
    said = {"url": str(footage.path), "realtime": True, "loop": True, **more}
    return f"  {name}: {json.dumps(said)}\n"


def records(witness: Running, stream: str, kind: str) -> list[dict[str, Any]]:
    files = sorted((witness.out / stream / "timeline").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_a_changed_stream_goes_on_in_its_media_time(tmp_path: Path, yard: Footage) -> None:
    address = LiveAddress("file", str(yard.path), realtime=True, loop=True)
    with Watching(tmp_path) as watching:
        watching.add("yard", address)
        watching.add("other", address)
        watching.until(watching.plays("yard", "other"))
        watching.run_for(2)
        before = set(watching.pids("reader"))
        watching.add("yard", address, max_lag_s=9.0)
        watching.until(lambda: any(told.line == "yard: ended" for told in watching.told))
        watching.until(watching.plays("yard", "other"))
        watching.run_for(2)
        assert len(before & set(watching.pids("reader"))) == 1
        watching.end()
    left = watching.of("yard")
    seen = left.numbers
    assert all(a.end_s <= b.start_s for a, b in pairwise(seen))
    [gap] = left.gaps()
    assert gap["reason"] == "its settings were changed"
    assert gap["end_s"] - gap["start_s"] < 5
    assert left.ledger["closed"]
    [old] = (tmp_path / "yard").glob("summary-*.json")
    first = json.loads(old.read_text())
    assert first["ledger"]["closed"]
    assert (first["from_s"], left.summary["from_s"]) == (
        0,
        pytest.approx(first["media_s"], abs=2e-3),
    )
    assert left.summary["epoch"] == first["epoch"]
    assert not watching.of("other").gaps()


def test_the_file_is_followed_and_other_streams_are_not_touched(
    tmp_path: Path, yard: Footage
) -> None:
    one, two = film("one", yard), film("two", yard)
    with running(tmp_path, one) as witness:
        figures = {"start_s": witness.until(witness.plays("one"))}
        reader = witness.reader("one")
        witness.write(one + two)
        figures["added_s"] = witness.until(witness.plays("one", "two"))
        second = witness.reader("two")
        witness.write(one + film("two", yard, max_lag_s=9))
        figures["changed_s"] = witness.until(
            lambda: "two: ended" in witness.said and witness.plays("one", "two")()
        )
        assert witness.reader("two") != second
        witness.client.add("three", {"url": str(yard.path), "realtime": True, "loop": True})
        witness.until(witness.plays("one", "three", "two"))
        witness.write(one + "  two: {url: 7}\n")
        figures["mistake_s"] = witness.until(lambda: "stay as they are" in witness.said)
        witness.write(one)
        figures["removed_s"] = witness.until(witness.plays("one", "three"))
        assert witness.reader("one") == reader
        witness.signal(signal.SIGTERM)
        assert witness.ended(DRAINED_WITHIN_S) == 0, witness.said
        assert all(witness.summary(name)["ledger"]["closed"] for name in ("one", "two", "three"))
        assert not records(witness, "one", "gap")
    report("control_file", figures)
    assert max(value for key, value in figures.items() if key != "start_s") < FOLLOWED_WITHIN_S


def test_sigterm_drains_and_a_witness_that_is_started_again_goes_on(
    tmp_path: Path, yard: Footage
) -> None:
    first = _drained(tmp_path, yard, "local")
    with running(tmp_path, film("yard", yard)) as witness:
        witness.until(witness.plays("yard"))
        witness.until(lambda: records(witness, "yard", "gap"))
        witness.signal(signal.SIGTERM)
        witness.ended(DRAINED_WITHIN_S)
        second = witness.summary("yard")
        gaps = records(witness, "yard", "gap")
    assert second["epoch"] == first["epoch"]
    assert second["from_s"] == pytest.approx(first["media_s"], abs=2e-3)
    assert {gap["reason"] for gap in gaps} == {"witness was not watching"}
    assert {gap["medium"] for gap in gaps} == set(first["ends_s"])
    assert second["ledger"]["closed"]


def test_the_commands_talk_to_the_witness_that_runs(tmp_path: Path, yard: Footage) -> None:
    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["streams", *words, "--out", str(tmp_path / "out")])
        return result.exit_code, result.output

    assert said("list")[0] == 2
    assert "no witness runs" in said("list")[1].replace("\n", " ")
    with running(tmp_path, film("yard", yard)) as witness:
        witness.until(witness.plays("yard"))
        assert said("add", "gate", str(yard.path), "--realtime", "--loop")[0] == 0
        witness.until(witness.plays("gate", "yard"))
        first = witness.reader("gate")
        assert said("restart", "gate")[0] == 0
        witness.until(lambda: f"{first}" not in map(str, [c.pid for c in witness.children]))
        witness.until(witness.plays("gate", "yard"))
        code, listed = said("list", "--json")
        assert (code, [stream["restarts"] for stream in json.loads(listed)]) == (0, [1, 0])
        assert "playing" in said("list")[1]
        assert said("remove", "gate")[0] == 0
        witness.until(witness.plays("yard"))
        assert said("remove", "gate")[0] == 2


@pytest.mark.ray
def test_sigterm_drains_on_ray_too(tmp_path: Path, yard: Footage) -> None:
    _drained(tmp_path, yard, "ray")


def test_a_keeper_that_hangs_does_not_hold_up_the_end(tmp_path: Path, yard: Footage) -> None:
    with running(tmp_path, film("yard", yard)) as witness:
        witness.until(witness.plays("yard"))
        everybody = witness.children
        witness.until(lambda: (witness.out / "yard" / "summary.json").exists())
        witness.keeper.suspend()
        began = time.monotonic()
        witness.signal(signal.SIGTERM)
        assert witness.ended(DRAINED_WITHIN_S) == 3, witness.said
        report("control_drained_hung", {"took_s": time.monotonic() - began})
        assert "ended before all was settled: yard" in witness.said
        assert not orphans(everybody, ORPHANS_WITHIN_S)


def test_a_second_sigterm_stops_at_once(tmp_path: Path, yard: Footage) -> None:
    _stops_at_once(tmp_path, yard, "local")


@pytest.mark.ray
def test_a_second_sigterm_stops_at_once_on_ray_too(tmp_path: Path, yard: Footage) -> None:
    _stops_at_once(tmp_path, yard, "ray")


def test_nobody_is_left_when_the_driver_is_killed(tmp_path: Path, yard: Footage) -> None:
    _leaves_nobody(tmp_path, yard, "local")


@pytest.mark.ray
def test_nobody_of_ray_is_left_when_the_driver_is_killed(tmp_path: Path, yard: Footage) -> None:
    _leaves_nobody(tmp_path, yard, "ray")


def _drained(folder: Path, yard: Footage, engine: str) -> dict[str, Any]:
    """The books of one of two streams, once SIGTERM has ended both well."""
    with running(folder, film("yard", yard) + film("gate", yard), engine) as witness:
        witness.until(witness.plays("gate", "yard"))
        witness.until(lambda: (witness.out / "yard" / "summary.json").exists())
        everybody = witness.children
        began = time.monotonic()
        for _ in "ab":  # as wrappers do, that hand on what the terminal told everybody already
            witness.signal(signal.SIGTERM)
        code = witness.ended(DRAINED_WITHIN_S)
        report(f"control_drained_{engine}", {"took_s": time.monotonic() - began})
        assert code == 0, witness.said
        assert not orphans(everybody, ORPHANS_WITHIN_S)
        assert not (witness.out / "control.json").exists()
        books = {name: witness.summary(name) for name in ("gate", "yard")}
        assert all(book["ledger"]["closed"] for book in books.values())
        return books["yard"]


def _stops_at_once(folder: Path, yard: Footage, engine: str) -> None:
    """With a keeper that is stopped the drain would take all the time that it has."""
    with running(folder, film("yard", yard), engine) as witness:
        witness.until(witness.plays("yard"))
        everybody = witness.children
        witness.keeper.suspend()
        witness.signal(signal.SIGTERM)
        first = time.monotonic()
        witness.until(lambda: "stopping" in witness.said and time.monotonic() - first > 2 * SAME_S)
        began = time.monotonic()
        witness.signal(signal.SIGTERM)
        code = witness.ended(AT_ONCE_S)
        report(f"control_stopped_{engine}", {"took_s": time.monotonic() - began})
        assert code == 130, witness.said
        assert "Traceback" not in witness.said
        assert not orphans(everybody, ORPHANS_WITHIN_S)


def _leaves_nobody(folder: Path, yard: Footage, engine: str) -> None:
    with running(folder, film("yard", yard) + film("gate", yard), engine) as witness:
        witness.until(witness.plays("gate", "yard"))
        everybody = witness.children
        began = time.monotonic()
        witness.signal(signal.SIGKILL)
        witness.process.wait()
        left = orphans(everybody, ORPHANS_WITHIN_S)
        took_s = time.monotonic() - began
    report(f"control_sigkill_{engine}", {"processes": len(everybody), "took_s": took_s})
    assert len(everybody) >= 4
    assert left == []
