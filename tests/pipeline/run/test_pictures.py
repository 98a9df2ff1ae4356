from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.config.schema import Output
from pipeline.run.pictures import OnProgress, draw
from tests.pipeline.run.runs import files, job, local

DRAWN: tuple[Output, ...] = ("jsonl", "overlay", "report")


def test_pictures_are_told_until_they_are_done(film: Path, tmp_path: Path) -> None:
    (result,) = local(job({"a": film}, tmp_path, outputs=DRAWN))
    assert result.summary is not None
    told: dict[str, list[Fraction]] = {}

    def tell(what: str) -> OnProgress:
        return told.setdefault(what, []).append

    assert [path.name for path in draw(result, DRAWN, tell=tell)] == [
        "annotated.mp4",
        "report.html",
    ]
    assert list(told) == ["drawing annotated.mp4", "drawing report.html"]
    for positions in told.values():
        assert positions == sorted(positions)
        assert float(positions[-1]) == pytest.approx(result.summary["media_s"])


def test_a_new_run_takes_the_pictures_of_the_one_before(film: Path, tmp_path: Path) -> None:
    (result,) = local(job({"a": film}, tmp_path, outputs=DRAWN))
    assert len(list(draw(result, DRAWN))) == 2
    local(job({"a": film}, tmp_path))
    assert files(tmp_path) == ["a/events.jsonl", "a/summary.json"]


def test_sound_alone_has_no_video(recording: Path, tmp_path: Path) -> None:
    (result,) = local(job({"a": recording}, tmp_path, outputs=DRAWN))
    assert [path.name for path in draw(result, DRAWN)] == ["report.html"]
