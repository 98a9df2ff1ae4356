"""What a machine has: told while it is fresh, and never waited for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from pipeline.measure.devices import DeviceMemory, device_memory, have_devices
from pipeline.measure.node import DEVICES_S, LOOK_S, STALE_S, NodeFigures, Now, space_of
from pipeline.measure.values import Metrics

WITHIN_S = 20.0
GIB = 2**30
SMI = """#!/bin/sh
[ "$*" = "--query-gpu=index,memory.used,memory.total --format=csv,noheader,nounits" ] || exit 6
{rest}
"""


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    found: float | None = metrics.registry.get_sample_value(f"witness_{name}", labels)
    return found


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    """Puts an nvidia-smi on the PATH that knows this one question."""
    file = folder / "nvidia-smi"
    file.write_text(SMI.format(rest=rest), encoding="utf-8")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def answered(now: Now[int], at: float) -> int | None:
    """What it knows, once the question under way is answered."""
    assert now._asked is not None
    now._asked._made.exception(timeout=WITHIN_S)
    return now.look(at)


def test_an_answer_is_asked_for_anew_and_kept_while_it_is_fresh() -> None:
    answers = iter([7, 8])
    now = Now("count", lambda: next(answers), 5.0)
    assert now.look(100.0) is None
    assert answered(now, 100.1) == 7
    assert now.look(104.9) == 7
    assert now.look(105.0) == 7
    assert answered(now, 105.1) == 8


def test_an_answer_that_does_not_come_is_forgotten_and_waited_for_by_nobody() -> None:
    goes_on, answers = Event(), iter([7, 8, 9])

    def ask() -> int:
        answer = next(answers)
        if answer == 8:
            goes_on.wait(WITHIN_S)
        return answer

    now = Now("hangs", ask, 5.0)
    now.look(0.0)
    assert answered(now, 0.1) == 7
    assert [now.look(at) for at in (5.0, STALE_S, STALE_S + 1)] == [7, 7, None]
    goes_on.set()
    assert answered(now, STALE_S + 6) is None  # it is as old as its question
    assert answered(now, STALE_S + 7) == 9


def test_a_disk_that_fails_is_known_for_unknown() -> None:
    def ask() -> int:
        raise OSError("Input/output error")

    now = Now("fails", ask, 5.0)
    now.look(0.0)
    assert answered(now, 1.0) is None


def looked(figures: NodeFigures, done: Callable[[], bool], from_s: float) -> None:
    """Has it look, at later and later times, until something is so."""
    for step in range(10_000):
        figures.look(from_s + step / 10_000)
        if done():
            return
        Event().wait(0.002)
    raise AssertionError


def test_the_disk_of_the_results_is_told_before_there_are_any(tmp_path: Path) -> None:
    metrics = Metrics()
    figures = NodeFigures(metrics, out=tmp_path / "out" / "later")
    looked(figures, lambda: value(metrics, "disk_size_bytes", place="results") is not None, 0.0)
    free, size = space_of(tmp_path)
    assert value(metrics, "disk_size_bytes", place="results") == size
    told = value(metrics, "disk_free_bytes", place="results")
    assert told is not None
    assert abs(told - free) < GIB
    assert value(metrics, "processes", role="driver") == 1.0
    assert (value(metrics, "process_memory_bytes", role="driver") or 0) > 2**20


def test_figures_come_by_themselves_while_the_block_runs() -> None:
    metrics, came = Metrics(), Event()

    def told() -> dict[int, str]:
        came.set()
        return {}

    with NodeFigures(metrics, told, mine="other"):
        assert came.wait(WITHIN_S)
    assert value(metrics, "processes", role="other") == 1.0
    assert value(metrics, "disk_free_bytes", place="results") is None


def test_device_memory_is_what_the_program_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not have_devices()
    program(tmp_path, monkeypatch, "echo '0, 1517, 24564'; echo '1, 3, 24564'")
    assert have_devices()
    assert device_memory() == [
        DeviceMemory("gpu0", 1517 * 2**20, 24564 * 2**20),
        DeviceMemory("gpu1", 3 * 2**20, 24564 * 2**20),
    ]


@pytest.mark.parametrize(
    "rest",
    [
        "echo 'No devices were found' && exit 6",
        "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'; exit 9",
        "echo '0, [N/A], [N/A]'",
        "",
    ],
)
def test_a_program_that_knows_nothing_tells_of_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    program(tmp_path, monkeypatch, rest)
    assert device_memory() == []


def test_a_device_that_is_lost_is_told_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all").write_text("0, 5, 64\n1, 6, 64\n", encoding="utf-8")
    program(tmp_path, monkeypatch, f"cat {tmp_path}/all")
    metrics = Metrics()
    figures = NodeFigures(metrics)
    looked(figures, lambda: value(metrics, "device_memory_bytes", device="gpu1") is not None, 0.0)
    assert value(metrics, "device_memory_bytes", device="gpu1") == 6 * 2**20
    assert value(metrics, "device_memory_size_bytes", device="gpu0") == 64 * 2**20
    (tmp_path / "all").write_text("0, 7, 64\n", encoding="utf-8")

    def lost() -> bool:
        return math.isnan(value(metrics, "device_memory_bytes", device="gpu1") or 0.0)

    looked(figures, lost, DEVICES_S + LOOK_S)
    assert value(metrics, "device_memory_bytes", device="gpu0") == 7 * 2**20
