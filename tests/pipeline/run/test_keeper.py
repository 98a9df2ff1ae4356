import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.cut import Progress, ReadReport
from pipeline.errors import OutputError
from pipeline.records import AudioInfo, Mark, Prediction, Span, StreamInfo
from pipeline.run.keeper import Keeper
from pipeline.sinks.jsonl import read_events
from pipeline.testing import loudness_lane

LANE = loudness_lane()
SOUND = AudioInfo("pcm_s16le", 8000, 1, "mono", Fraction(1, 8000))
INFO = StreamInfo("yard", "yard.wav", "wav", None, SOUND, Fraction(1))
REPORT = ReadReport(Progress(Fraction(1), {"audio": 8000}, {LANE.name: 0}), {}, (), None)
ABOUT = {"wall_s": 0.5, "interrupted": False}


def answers(levels: str) -> list[Prediction]:
    """Windows of a quarter of a second, `-` quiet and `#` loud."""
    out = []
    for index, level in enumerate(levels):
        span = Span(Fraction(index, 4), Fraction(index + 1, 4))
        scores = np.full((5, 2), [0.1, 0.9] if level == "#" else [0.9, 0.1], np.float32)
        out.append(Prediction(Mark("yard", LANE.name, index, span, 2000), scores=scores))
    return out


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_everything_appears_when_the_stream_ends(tmp_path: Path) -> None:
    keeper = Keeper(INFO, [LANE], tmp_path, ["jsonl", "parquet"])
    told = keeper.settle(LANE.name, answers("--##"))
    assert all(name.startswith(".") for name in names(tmp_path))
    last, summary = keeper.finish(REPORT, ABOUT)
    assert names(tmp_path) == ["events.jsonl", "events.parquet", "summary.json"]
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == summary
    assert [digest.label for digest in told + last] == ["quiet", "loud"]
    assert [event.label for event in read_events(tmp_path / "events.jsonl")] == ["quiet", "loud"]
    assert summary["counts"] == {LANE.name: {"quiet": 1, "loud": 1}}
    assert (summary["complete"], summary["media_s"], summary["speed"]) == (True, 1.0, 2.0)
    assert summary["ledger"]["closed"]
    assert summary["lanes"][0]["labels"] == ["quiet", "loud"]


@pytest.mark.parametrize(
    ("error", "interrupted"), [("it broke off", False), (None, True), ("both", True)]
)
def test_a_stream_that_ended_early_is_not_complete(
    tmp_path: Path, error: str | None, interrupted: bool
) -> None:
    keeper = Keeper(INFO, [LANE], tmp_path, ["jsonl"])
    keeper.settle(LANE.name, answers("##"))
    report = ReadReport(REPORT.progress, {}, (), error)
    _, summary = keeper.finish(report, {"interrupted": interrupted}, "interrupted")
    assert (summary["complete"], summary["error"]) == (False, error)
    assert summary["ledger"]["lanes"][LANE.name]["dropped"] == {"interrupted": 4000}
    assert summary["ledger"]["closed"]


def test_an_abandoned_stream_leaves_nothing(tmp_path: Path) -> None:
    keeper = Keeper(INFO, [LANE], tmp_path, ["jsonl", "parquet"])
    keeper.settle(LANE.name, answers("##--"))
    keeper.abandon()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        Keeper(INFO, [LANE], tmp_path / "out" / "yard", ["jsonl"])
