import os
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.batch.inputs import Input, find_inputs
from pipeline.batch.result import commit_name
from pipeline.batch.tally import Tally
from pipeline.batch.todo import Todo
from pipeline.batch.unit import Unit, key_of
from pipeline.testing import brightness_lane
from tests import clips
from tests.pipeline.batch.jobs import HASH, plain_job, records, run_here, tree

LANES = (brightness_lane(rate_hz=5),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two short videos."""
    folder = tmp_path / "videos"
    film = clips.make(folder, clips.Recipe("mkv", clips.at_rate(Fraction(5), 1), None))
    for name in ("a.mkv", "b.mkv"):
        shutil.copy(film, folder / name)
    film.unlink()
    return folder


def sources(results: Path, found: list[Input], config: str = HASH) -> tuple[Tally, list[Unit]]:
    tally = Tally()
    with Todo(plain_job(results, LANES, config_hash=config)) as todo:
        todo.find(iter(found), tally)
        return tally, list(todo.units())


def test_what_is_done_is_not_to_be_done(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    found = list(find_inputs([str(folder)]))
    tally, units = sources(results, found)
    assert [unit.video for unit in units] == found
    assert (tally.found, tally.before, tally.todo) == (2, 0, 2)
    assert tally.todo_bytes == sum(video.size_bytes for video in found)
    run_here(plain_job(results, LANES), folder)
    tally, units = sources(results, found)
    assert (tally.before, tally.todo, units) == (2, 0, [])


def test_units_may_be_read_again_and_again(tmp_path: Path) -> None:
    video = Input("a", "/a.mp4", "1-1", 1, "unknown")
    with Todo(plain_job(tmp_path)) as todo:
        todo.find([video], Tally())
        assert list(todo.units()) == list(todo.units()) == [Unit(video)]


def test_a_changed_video_is_done_again_and_its_old_result_goes(
    folder: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    job = plain_job(results, LANES)
    run_here(job, folder)
    before = tree(results)
    [old] = [video for video in find_inputs([str(folder)]) if video.source == "a.mkv"]
    os.utime(folder / "a.mkv", ns=(0, 10**18))
    [outcome] = run_here(job, folder)
    after = tree(results)
    assert outcome.source == "a.mkv"
    assert not any(key_of(old, HASH) in name for name in after)
    assert any(outcome.key in name for name in after)
    assert {n: b for n, b in after.items() if "b.mkv" in n} == {
        n: b for n, b in before.items() if "b.mkv" in n
    }
    assert sorted(known["source"] for known in records(job)) == ["a.mkv", "b.mkv"]
    assert run_here(job, folder) == []


def test_another_config_keeps_both(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    run_here(plain_job(results, LANES), folder)
    before = tree(results)
    run_here(plain_job(results, LANES, config_hash="ba9876543210"), folder)
    after = tree(results)
    assert before.items() - after.items() == {("job.json", before["job.json"])}
    assert sum(name.startswith("units/") for name in after) == 4


def test_an_outdated_result_that_a_killed_run_left_goes(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    job = plain_job(results, LANES)
    run_here(job, folder)
    [old] = [video for video in find_inputs([str(folder)]) if video.source == "a.mkv"]
    name = commit_name(key_of(old, HASH))
    record = job.store.read(name)
    os.utime(folder / "a.mkv", ns=(0, 10**18))
    run_here(job, folder)
    after = tree(results)
    job.store.write(name, record)
    tally, units = sources(results, list(find_inputs([str(folder)])))
    assert (tally.before, units) == (2, [])
    assert tree(results) == after
