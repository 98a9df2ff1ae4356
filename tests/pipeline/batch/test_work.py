import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.batch.attempts import MOST, Attempts
from pipeline.batch.inputs import find_inputs
from pipeline.batch.unit import Unit, key_of
from pipeline.batch.work import Note, UnitWorker
from pipeline.errors import OutputError
from pipeline.testing import brightness_lane, failing_lane, loudness_lane
from tests import clips
from tests.pipeline.batch.jobs import (
    HASH,
    PlainJob,
    outcomes,
    plain_job,
    records,
    run_here,
    states,
    tree,
)

LANES = (brightness_lane(rate_hz=5), loudness_lane())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of pictures at 10 Hz, with sound."""
    folder = tmp_path_factory.mktemp("film")
    picture = clips.at_rate(Fraction(10), 1)
    recipe = clips.Recipe("mkv", picture, clips.Sound(seconds=Fraction(1)))
    return clips.make(folder, recipe).rename(folder / "film.mkv")


def unit(path: Path) -> Unit:
    """A video, whole."""
    [video] = find_inputs([str(path)])
    return Unit(video)


def failures(job: PlainJob) -> list[dict[str, object]]:
    """The rows of all failures."""
    paths = sorted(Path(job.results).glob("failures/*/*.parquet"))
    return [row for path in paths for row in pq.read_table(path, partitioning=None).to_pylist()]


def test_a_video_leaves_its_tables_and_last_its_record(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES)
    *notes, outcome = UnitWorker(job).run(unit(film))
    assert all(isinstance(note, Note) for note in notes)
    key = key_of(unit(film).video, HASH)
    assert sorted(tree(tmp_path)) == [
        f"events/source={outcome.source}/{key}.parquet",
        f"ledger/source={outcome.source}/{key}.parquet",
        f"units/{key}.json",
    ]
    [record] = records(job)
    assert (record["state"], record["key"], record["error"]) == ("done", key, None)
    assert record["events"] == pq.read_metadata(tmp_path / record["files"][0]).num_rows > 0
    assert record["media_s"] == pytest.approx(1.0, abs=0.1)
    assert failures(job) == []


def test_what_is_done_is_not_opened_again(film: Path, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "a.mkv")
    job = plain_job(tmp_path / "results", LANES)
    a = unit(tmp_path / "a.mkv")
    first = outcomes(UnitWorker(job), a)
    (tmp_path / "a.mkv").unlink()
    again = outcomes(UnitWorker(job), a)
    assert replace(again, seconds=first.seconds) == first


@pytest.mark.parametrize(
    ("data", "kind"), [(b"nothing of the kind" * 9, "SourceUnreadable"), (b"", "SourceUnreadable")]
)
def test_what_cannot_be_opened_has_failed(data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    job = plain_job(tmp_path / "results", LANES)
    outcome = outcomes(UnitWorker(job), unit(tmp_path / "a.mp4"))
    assert (outcome.state, outcome.media_s) == ("failed", 0.0)
    [row] = failures(job)
    assert (row["kind"], row["partial"], row["position_s"]) == (kind, False, 0.0)
    assert outcome.error == row["reason"]


def test_what_is_not_there_has_failed(film: Path, tmp_path: Path) -> None:
    gone = replace(unit(film).video, trouble="a.mkv: no such file")
    job = plain_job(tmp_path, LANES)
    assert outcomes(UnitWorker(job), Unit(gone)).state == "failed"
    assert [row["reason"] for row in failures(job)] == ["a.mkv: no such file"]


def test_what_breaks_off_is_kept_as_far_as_it_goes(media: Path, tmp_path: Path) -> None:
    path = clips.make(media, clips.Recipe("mkv", clips.at_rate(Fraction(5), 5), None))
    data = path.read_bytes()
    (tmp_path / "a.mkv").write_bytes(data[: len(data) // 2])
    job = plain_job(tmp_path / "results", LANES)
    outcome = outcomes(UnitWorker(job), unit(tmp_path / "a.mkv"))
    assert outcome.state == "partial"
    assert outcome.events > 0
    [row] = failures(job)
    assert (row["kind"], row["partial"]) == ("cut_short", True)
    assert 0 < outcome.media_s < 4


def test_a_unit_that_took_its_workers_with_it_is_given_up(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES)
    attempts = Attempts(job.store, job.run)
    for _ in range(MOST):
        attempts.given_up(unit(film), key_of(unit(film).video, HASH))
    outcome = outcomes(UnitWorker(job), unit(film))
    assert outcome.state == "failed"
    assert [row["kind"] for row in failures(job)] == ["worker_lost"]
    assert not list(tmp_path.glob("attempts/*"))


def test_a_unit_that_takes_too_long_is_partial(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES, timeout_s=0.0)
    assert outcomes(UnitWorker(job), unit(film)).state == "partial"
    [row] = failures(job)
    assert (row["kind"], row["partial"]) == ("timeout", True)


def test_a_network_that_fails_now_and_then_harms_nothing_else(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, (failing_lane(LANES[0], 2), LANES[1]))
    assert outcomes(UnitWorker(job), unit(film)).state == "done"
    [ledger] = tmp_path.glob("ledger/*/*.parquet")
    rows = pq.read_table(ledger, partitioning=None).to_pylist()
    assert {row["lane"] for row in rows} == {"brightness", "loudness"}


def test_results_that_cannot_be_written_stop_the_job(film: Path, tmp_path: Path) -> None:
    (tmp_path / "results").write_bytes(b"a file, not a folder")
    with pytest.raises(OutputError):
        outcomes(UnitWorker(plain_job(tmp_path / "results", LANES)), unit(film))


def test_the_same_job_leaves_the_same_bytes_wherever_it_runs(film: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_here(plain_job(tmp_path / name, LANES, run=name), film.parent)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_results_by_day(film: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path, LANES, partition="day")
    run_here(job, film.parent)
    [record] = records(job)
    assert all(f"/day={record['day']}/" in name for name in record["files"])
    assert states(job) == {"film.mkv": "done"}
