import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.cut import Progress, ReadReport
from pipeline.errors import OutputError
from pipeline.records import AudioInfo, Mark, Prediction, Span, StreamInfo
from pipeline.run.keeper import Keeper
from pipeline.sinks.jsonl import read_events
from pipeline.sinks.rows import ROWS_VERSION
from pipeline.testing import loudness_lane
from tests.needs import need_own_mounts

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
    assert summary["rows_version"] == ROWS_VERSION


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


OLD = ("annotated.mp4", "events.jsonl", "events.parquet", "report.html", "summary.json")


def earlier_run(folder: Path) -> dict[str, str]:
    """What an earlier run left, with a file of somebody else's; also as `texts` tells it."""
    folder.mkdir(exist_ok=True)
    for name in (*OLD, "notes.txt"):
        (folder / name).write_text(f"old {name}", encoding="utf-8")
    return texts(folder)


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_folder_holds_the_outputs_of_one_run(tmp_path: Path) -> None:
    old = earlier_run(tmp_path)
    keeper = Keeper(INFO, [LANE], tmp_path, ["jsonl"])
    keeper.settle(LANE.name, answers("##"))
    assert {name: text for name, text in texts(tmp_path).items() if name in old} == old
    keeper.finish(REPORT, ABOUT)
    assert names(tmp_path) == ["events.jsonl", "notes.txt", "summary.json"]
    assert len(list(read_events(tmp_path / "events.jsonl"))) == 1


def test_a_summary_that_cannot_appear_takes_the_rows_with_it(tmp_path: Path) -> None:
    old = earlier_run(tmp_path)
    (tmp_path / "summary.json").unlink()
    (tmp_path / "summary.json").mkdir()
    keeper = Keeper(INFO, [LANE], tmp_path, ["jsonl", "parquet"])
    with pytest.raises(OutputError, match=r"summary\.json: cannot be written"):
        keeper.finish(REPORT, ABOUT)
    (tmp_path / "summary.json").rmdir()
    assert texts(tmp_path) == {name: text for name, text in old.items() if name != "summary.json"}


ON_A_DISK = """
import sys
from pathlib import Path
from pipeline.errors import OutputError
from tests.pipeline.run.test_keeper import ABOUT, INFO, LANE, REPORT, answers, earlier_run, texts
from pipeline.run.keeper import Keeper

disk, told = Path(sys.argv[1]), set()
for pages in range(64):
    filler, out = disk / "filler", disk / "out"
    old = earlier_run(out)
    filler.write_bytes(b"")
    with filler.open("ab", buffering=0) as taken:
        try:
            while True:
                taken.write(bytes(4096))
        except OSError:
            taken.truncate(max(0, taken.tell() // 4096 - pages) * 4096)
    keeper = None
    try:
        keeper = Keeper(INFO, [LANE], out, ["jsonl", "parquet"])
        keeper.settle(LANE.name, answers("#-" * 60))
        keeper.finish(REPORT, ABOUT)
    except OutputError as error:
        if keeper is not None:
            keeper.abandon()
        assert texts(out) == old, (pages, sorted(texts(out)))
        told.add(str(error).replace(str(out), "out"))
    else:
        new = ["events.jsonl", "events.parquet", "notes.txt", "summary.json"]
        assert sorted(path.name for path in out.iterdir()) == new
        break
print(pages, *sorted(told), sep="\\n")
"""


def on_a_disk(command: str, folder: Path, script: str) -> list[str]:
    """The lines that a script prints, run where `command` has mounted something at `folder`."""
    run = f'{command} && exec "$@"'
    python = [sys.executable, "-B", "-c", script, str(folder)]
    done = subprocess.run(
        [*need_own_mounts(), "sh", "-c", run, "sh", *python],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_disk_that_fills_up_leaves_the_earlier_run(tmp_path: Path) -> None:
    pages, *told = on_a_disk(f"mount -t tmpfs -o size=256k none {tmp_path}", tmp_path, ON_A_DISK)
    assert 4 < int(pages) < 63
    ending = "cannot be written: the disk is full; free some space or choose another folder with"
    assert [line.split(" --out")[0] for line in told] == [
        f"out/{name}: {ending}" for name in ("events.jsonl", "events.parquet", "summary.json")
    ]


READ_ONLY = """
import sys
from pathlib import Path
from pipeline.errors import OutputError
from tests.pipeline.run.test_keeper import INFO, LANE
from pipeline.run.keeper import Keeper

try:
    Keeper(INFO, [LANE], Path(sys.argv[1]), ["jsonl"])
except OutputError as error:
    print(error)
"""


def test_a_disk_that_is_read_only_is_told(tmp_path: Path) -> None:
    (told,) = on_a_disk(f"mount -t tmpfs -o ro none {tmp_path}", tmp_path, READ_ONLY)
    assert told == (
        f"{tmp_path}/events.jsonl: cannot be written: the file system is read-only; "
        "choose another folder with --out"
    )


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        Keeper(INFO, [LANE], tmp_path / "out" / "yard", ["jsonl"])
