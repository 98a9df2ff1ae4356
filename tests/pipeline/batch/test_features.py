"""The features of frames, on request: one row a frame, the same however a video was cut."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.batch.also import Form
from pipeline.batch.query import Results
from pipeline.cut import Reader
from pipeline.lane import Lane
from pipeline.predict import PoolMember
from pipeline.records import Feature
from tests import clips, networks
from tests.pipeline.batch.jobs import plain_job, run_here, tree

ALSO: tuple[Form, ...] = ("features",)


def film_in(folder: Path) -> Path:
    """Three seconds of pictures at 10 Hz."""
    recipe = clips.Recipe("mp4", clips.at_rate(Fraction(10), 3), clips.Sound(seconds=Fraction(3)))
    return clips.make(folder, recipe).rename(folder / "film.mp4")


def test_features_of_a_cut_video_are_those_of_one_pass(tmp_path: Path) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    (tmp_path / "films").mkdir()
    film = film_in(tmp_path / "films")
    [whole] = run_here(plain_job(tmp_path / "whole", [lane], also=ALSO), film.parent)
    run_here(plain_job(tmp_path / "cut", [lane], also=ALSO, segment_s=Fraction(1)), film.parent)
    trees = [tree(tmp_path / name) for name in ("whole", "cut")]
    assert trees[0] == trees[1]
    name = f"features/source=film.mp4/{whole.key}.{lane.name}.parquet"
    rows = pq.read_table(tmp_path / "whole" / name).to_pylist()
    assert [row["start"] for row in rows] == [str(Fraction(n, 10)) for n in range(30)]
    seen = features_of(lane, film)
    assert np.abs(np.array([row["feature"] for row in rows]) - seen).max() < 1e-5


def features_of(lane: Lane, film: Path) -> NDArray[np.float32]:
    """(windows, F) what the lane's frame CNN sees in the film."""
    with closing(Reader(str(film), "film", [lane])) as reader:
        windows = [window for cut in reader.cuts() for window in cut.windows]
    seen = PoolMember([lane]).see(lane.name, windows)
    return np.stack([known.values for known in seen if isinstance(known, Feature)])


def test_features_do_not_change_what_is_found(tmp_path: Path) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    (tmp_path / "films").mkdir()
    film_in(tmp_path / "films")
    for name, also in (("with", ALSO), ("without", ())):
        run_here(plain_job(tmp_path / name, [lane], also=also), tmp_path / "films")
    events = [
        {name: data for name, data in tree(tmp_path / folder).items() if name.startswith("events/")}
        for folder in ("with", "without")
    ]
    assert events[0]
    assert events[0] == events[1]


def test_features_can_be_asked_for(tmp_path: Path) -> None:
    lane = networks.action_lane(tmp_path).build("cpu")
    (tmp_path / "films").mkdir()
    film_in(tmp_path / "films")
    job = plain_job(tmp_path / "results", [lane], also=ALSO)
    run_here(job, tmp_path / "films")
    answer = Results(job.store).ask(
        "select source, count(*) n, min(len(feature)) > 0 seen from features group by source"
    )
    assert answer is not None
    assert list(answer.rows()) == [{"source": "film.mp4", "n": 30, "seen": True}]
