import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.batch.folder_store import FolderStore
from pipeline.batch.inputs import find_inputs
from pipeline.batch.store import Store
from pipeline.batch.tally import Tally
from pipeline.batch.unit import Unit
from pipeline.batch.work import UnitWorker
from pipeline.testing import blob_lane, brightness_lane, loudness_lane
from tests import clips
from tests.pipeline.batch.jobs import (
    PlainJob,
    divisible,
    outcomes,
    plain_job,
    run_here,
    states,
    tree,
    units_of,
)

LANES = (
    divisible(brightness_lane(rate_hz=5)),
    divisible(blob_lane(rate_hz=5)),
    loudness_lane(hop_s=0.1),
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of pictures at 10 Hz, with sound."""
    folder = tmp_path_factory.mktemp("film")
    picture = replace(clips.at_rate(Fraction(10), 3), b_frames=2)
    recipe = clips.Recipe("mp4", picture, clips.Sound(seconds=Fraction(3)))
    return clips.make(folder, recipe).rename(folder / "film.mp4")


@pytest.fixture(scope="module")
def whole(film: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one pass leaves."""
    results = tmp_path_factory.mktemp("whole")
    run_here(plain_job(results, LANES), film.parent)
    return without_job(results)


def without_job(results: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(results).items() if name != "job.json"}


def parts(job: PlainJob, film: Path) -> list[Unit]:
    """The parts of the film: three stretches, and sound."""
    [video] = find_inputs([str(film.parent)])
    cut = units_of(job, Unit(video))
    assert len(cut) == 4
    return cut


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_whatever_part_is_last_it_joins_them_to_the_bytes_of_one_pass(
    order: tuple[int, ...], film: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    job, tally = plain_job(tmp_path, LANES, segment_s=Fraction(1)), Tally(found=1)
    worker, cut = UnitWorker(job), parts(plain_job(tmp_path, LANES, segment_s=Fraction(1)), film)
    for number in order:
        assert tally.finished == 0
        tally.ended(outcomes(worker, cut[number]))
    assert (tally.done, tally.todo) == (1, 0)
    assert without_job(tmp_path) == whole
    assert not list(tmp_path.glob("parts/*/*"))


def test_parts_that_were_answered_before_are_not_read_again(
    film: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    job = plain_job(tmp_path, LANES, segment_s=Fraction(1))
    cut = parts(job, film)
    first = outcomes(UnitWorker(job), cut[1])
    assert first.state is None
    again = outcomes(UnitWorker(job), replace(cut[1], video=replace(cut[1].video, address="/gone")))
    assert (again.state, again.error) == (None, None)
    for number in (0, 2, 3):
        outcomes(UnitWorker(job), cut[number])
    assert without_job(tmp_path) == whole


def test_each_part_tells_when_all_is_done_and_the_tally_counts_one(
    film: Path, tmp_path: Path
) -> None:
    job = plain_job(tmp_path, LANES, segment_s=Fraction(1))
    tally = Tally(found=1)
    for unit in itertools.chain(parts(job, film), parts(job, film)):
        tally.ended(outcomes(UnitWorker(job), unit))
    assert (tally.done, tally.todo) == (1, 0)


class Racing(FolderStore):
    """Lets another worker join, and tidy up, while this one reads the answers."""

    def __init__(self, address: str, meanwhile: list[object]) -> None:
        super().__init__(address)
        self._meanwhile = meanwhile

    def read(self, name: str) -> bytes:
        if name.endswith("00001.arrow") and self._meanwhile:
            job, unit = self._meanwhile.pop()  # type: ignore[misc]
            outcomes(UnitWorker(job), unit)
        return super().read(name)


class RacingJob(PlainJob):
    """A job with such a store."""

    meanwhile: list[object] = []  # noqa: RUF012 - shared on purpose

    @property
    def store(self) -> Store:
        return Racing(self.results, self.meanwhile)


def test_two_that_join_at_the_same_time_leave_the_same(
    film: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    job = plain_job(tmp_path, LANES, segment_s=Fraction(1))
    cut = parts(job, film)
    for unit in cut[:3]:
        outcomes(UnitWorker(job), unit)
    racing = RacingJob(job.config, job.results, job.config_hash, segment_s=Fraction(1), plain=LANES)
    racing.meanwhile.append((job, cut[0]))
    assert outcomes(UnitWorker(racing), cut[3]).state == "done"
    assert racing.meanwhile == []
    assert without_job(tmp_path) == whole


def test_a_part_that_is_lost_makes_the_video_partial(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES, segment_s=Fraction(1))
    cut = parts(job, film)
    lost = replace(cut[1], video=replace(cut[1].video, address=str(tmp_path / "gone.mp4")))
    for unit in (cut[0], lost, cut[2], cut[3]):
        outcomes(UnitWorker(job), unit)
    assert states(job) == {"film.mp4": "partial"}


def test_a_video_of_which_every_part_is_lost_has_failed(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES, segment_s=Fraction(1))
    for unit in parts(job, film):
        gone = replace(unit, video=replace(unit.video, address=str(tmp_path / "gone.mp4")))
        outcomes(UnitWorker(job), gone)
    assert states(job) == {"film.mp4": "failed"}
    assert not list(tmp_path.glob("events/*/*.parquet"))
