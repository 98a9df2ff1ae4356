"""A job ends before, or just after, each change of its results, is started again, and is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.batch.folder_store import FolderStore
from pipeline.batch.store import Store
from pipeline.testing import brightness_lane, loudness_lane
from pipeline.whole import WholeFile
from tests.batch.conftest import make_film
from tests.live.watching import FULL
from tests.pipeline.batch.jobs import HASH, PlainJob, divisible, plain_job, run_here, tree

pytestmark = pytest.mark.slow

EVERY = 1 if FULL else 2
LANES = (divisible(brightness_lane(rate_hz=5)), loudness_lane())
RULES: dict[str, Any] = {"segment_s": Fraction(1)}


class Killed(BaseException):
    """Nothing of ours catches it: as if the process were gone."""


class Dying(FolderStore):
    """A folder that lets so many changes happen, and then none."""

    def __init__(self, address: str, left: list[int], late: bool) -> None:
        super().__init__(address)
        self._left = left
        self._late = late

    @contextmanager
    def whole(self, name: str) -> Iterator[WholeFile]:
        with super().whole(name) as file:
            yield file
            self._change(late=False)
        self._change(late=True)

    def remove(self, name: str) -> None:
        self._change(late=False)
        super().remove(name)
        self._change(late=True)

    def remove_folder(self, name: str) -> None:
        self._change(late=False)
        super().remove_folder(name)
        self._change(late=True)

    def _change(self, *, late: bool) -> None:
        if late == self._late:
            self._left[0] -= 1
            if self._left[0] < 0:
                raise Killed


@dataclass(frozen=True, slots=True)
class DyingJob(PlainJob):
    """A job whose store dies."""

    left: list[int] = field(default_factory=list)
    late: bool = False

    @property
    def store(self) -> Store:
        return Dying(self.results, self.left, self.late)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one that will be changed, one that is cut into two and sound, and a broken one."""
    folder = tmp_path_factory.mktemp("few")
    make_film(folder, "mkv", 1, rate=5).rename(folder / "a_changed.mkv")
    make_film(folder, "mp4", 2, rate=5).rename(folder / "b_cut.mp4")
    (folder / "c_broken.mp4").write_bytes(b"no video at all" * 20)
    return folder


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_wherever_it_ends_it_goes_on_to_the_same_bytes(
    late: bool, few: Path, tmp_path: Path
) -> None:
    earlier, results = tmp_path / "earlier", tmp_path / "results"
    run_here(plain_job(earlier, LANES, **RULES), few / "a_*.mkv")
    os.utime(few / "a_changed.mkv", ns=(0, 10**18 + late))
    shutil.copytree(earlier, results)
    run_here(plain_job(results, LANES, **RULES), few)
    whole = tree(results)
    assert sum(name.startswith("units/") for name in whole) == 3
    change, ended = 0, False
    while not ended:
        shutil.rmtree(results)
        shutil.copytree(earlier, results)
        config = plain_job(results).config
        dying = DyingJob(
            config, str(results), HASH, plain=LANES, run="killed", left=[change], late=late, **RULES
        )
        try:
            run_here(dying, few)
            ended = True
        except Killed:
            run_here(plain_job(results, LANES, run="resumed", **RULES), few)
        assert tree(results) == whole, f"ended at change {change}"
        change += EVERY
    assert change > 30
