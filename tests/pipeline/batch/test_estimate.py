from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.batch.estimate import VIDEOS, Estimate, measure
from pipeline.batch.inputs import find_inputs
from pipeline.batch.unit import Unit
from pipeline.testing import brightness_lane
from tests import clips
from tests.pipeline.batch.jobs import plain_job


def test_a_sample_runs_a_few_videos_and_writes_nothing(media: Path, tmp_path: Path) -> None:
    film = clips.make(media, clips.Recipe("mkv", clips.at_rate(Fraction(5), 2), None))
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a_broken.mkv").write_bytes(b"nothing" * 9)
    for number in range(VIDEOS + 2):
        (folder / f"{number}.mkv").write_bytes(film.read_bytes())
    job = plain_job(tmp_path / "results", (brightness_lane(rate_hz=5),))
    sample = measure(job, [Unit(video) for video in find_inputs([str(folder)])])
    assert sample.videos == VIDEOS
    assert sample.media_s == pytest.approx(2 * VIDEOS, rel=0.2)
    assert sample.size_bytes == pytest.approx(VIDEOS * film.stat().st_size, rel=0.2)
    assert sample.seconds > 0
    assert not (tmp_path / "results").exists()


def test_what_it_says_of_the_rest() -> None:
    sample = Estimate(videos=1, seconds=2.0, media_s=20.0, size_bytes=100.0)
    assert sample.speed == 10.0
    assert sample.of(1000, 2) == 10.0
    assert Estimate(0, 0.0, 0.0, 0.0).speed == 0.0
    assert Estimate(1, 1.0, 1.0, 0.0).of(1000, 2) is None
