"""A disk that is full, or that fails: the job says so, and goes on from there when it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.driving import Order, check_whole
from tests.live.watching import FULL, report
from tests.needs import need_own_mounts, need_program
from tests.pipeline.batch.jobs import tree

pytestmark = pytest.mark.slow

SIZES_KB = (4, 24, 48, 72, 96, 120) if FULL else (48,)
FAILING = (1, 3, 9, 27, 60) if FULL else (9,)
"""Which call of fsync of each process fails."""


@pytest.fixture(scope="module")
def order(videos: Path, config: Path) -> Order:
    """A job in which nothing fails but the disk."""
    return Order(videos / "short*.mkv", config)


@pytest.fixture(scope="module")
def whole(order: Order, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run leaves."""
    results = tmp_path_factory.mktemp("whole")
    code, said = order.run(results)
    assert code == 0, said
    return tree(results)


@pytest.mark.parametrize("size_kb", SIZES_KB)
def test_a_full_disk_is_told_and_the_job_goes_on_when_there_is_room(
    size_kb: int, order: Order, whole: dict[str, bytes], tmp_path: Path
) -> None:
    small, results = tmp_path / "small", tmp_path / "results"
    small.mkdir()
    script = (
        f'mount -t tmpfs -o size={size_kb}k tmpfs {small}; "$@"; code=$?;'
        f" cp -a {small}/. {results}; exit $code"
    )
    before = [*need_own_mounts(), "/bin/sh", "-c", script, "job"]
    code, said = order.run(small, before)
    assert code == 3, said
    assert "the disk is full" in said
    assert "Traceback" not in said
    finished = check_whole(results)
    report(f"batch_disk_full_{size_kb}", {"size_kb": size_kb, "finished": finished, "of": 8})
    assert finished < 8
    code, said = order.run(results)
    assert code == 0, said
    assert tree(results) == whole


@pytest.mark.parametrize("which", FAILING)
def test_a_failing_disk_is_told_and_the_job_goes_on_when_it_works(
    which: int, order: Order, whole: dict[str, bytes], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    fails = f"fault=fsync:error=EIO:when={which}+"
    strace = [need_program("strace"), "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"]
    code, said = order.run(results, [*strace, "-e", "trace=fsync", "-e", fails])
    assert code == 3, said
    assert "the disk fails (EIO)" in said
    assert "Traceback" not in said
    finished = check_whole(results)
    report(f"batch_disk_fails_{which}", {"fsync": which, "finished": finished, "of": 8})
    code, said = order.run(results)
    assert code == 0, said
    assert tree(results) == whole
