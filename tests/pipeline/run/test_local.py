from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.measure.values import Metrics
from pipeline.run.local import run_local
from pipeline.testing import ListWatcher, brightness_lane, failing_lane, loudness_lane
from tests import clips
from tests.pipeline.run.runs import FAKES, files, job, local, rows


def test_a_film_becomes_rows_and_a_summary(film: Path, tmp_path: Path) -> None:
    watcher, metrics = ListWatcher(), Metrics()
    done = job({"a": film}, tmp_path, outputs=("jsonl", "parquet"))
    (result,), interrupted = run_local(done, watcher, metrics)
    assert (result.error, interrupted) == (None, False)
    assert result.summary is not None and result.summary["ledger"]["closed"]
    assert files(tmp_path) == ["a/events.jsonl", "a/events.parquet", "a/summary.json"]
    told = rows(result)
    assert {row["lane"] for row in told} == {lane.name for lane in FAKES}
    order = [(Fraction(row["end"]), Fraction(row["start"]), row["lane"]) for row in told]
    assert order == sorted(order)
    assert len(watcher.digests) == len(told)
    assert watcher.results["a"] == result
    assert watcher.positions["a"] == sorted(watcher.positions["a"])
    counted = metrics.registry.get_sample_value(
        "witness_decoded_total", {"stream": "a", "medium": "video"}
    )
    assert counted == 50
    told = series(metrics)
    for lane in FAKES:
        assert told["books_open", "a", lane.name] == 0
        for stage in ("predict", "settle"):
            assert told["stage_seconds_count", stage, lane.name] > 0
    assert sum(n for key, n in told.items() if key[:2] == ("stage_seconds_count", "sink")) > 0
    for medium in ("video", "audio"):
        assert told["decode_seconds_total", "a", medium] > 0
    assert told["books_not_closed_total",] == 0
    assert told["pool_members_ready",] == 1
    assert 0 < told["pool_busy_seconds_total",] < 60


def series(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """The values by name, without prefix, and labels."""
    return {
        (sample.name.removeprefix("witness_"), *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def test_the_clicks_are_heard_where_they_are(film: Path, tmp_path: Path) -> None:
    (result,) = local(job({"a": film}, tmp_path))
    loud = [float(Fraction(r["start"])) for r in rows(result) if r["label"] == "loud"]
    assert loud == pytest.approx([0.0, 1.0], abs=0.04)


def test_idle_lanes_are_told_and_leave_no_book(silent_film: Path, tmp_path: Path) -> None:
    watcher = ListWatcher()
    (result,), _ = run_local(job({"a": silent_film}, tmp_path), watcher, Metrics())
    assert watcher.idle["a"] == ["loudness"]
    assert result.summary is not None
    assert set(result.summary["ledger"]["lanes"]) == {"brightness", "blobs"}


@pytest.mark.parametrize("batch", [1, 7])
def test_batches_and_company_change_nothing(
    film: Path, silent_film: Path, recording: Path, tmp_path: Path, batch: int
) -> None:
    sources = {"a": film, "b": silent_film, "c": recording, "d": film}
    alone = [rows(local(job({n: s}, tmp_path / "alone"))[0]) for n, s in sources.items()]
    lanes = (
        brightness_lane(rate_hz=25, batch=batch),
        FAKES[1],
        loudness_lane(hop_s=0.1, batch=batch),
    )
    together = local(job(sources, tmp_path / "together", lanes=lanes))
    assert [rows(result) for result in together] == alone


def test_a_second_run_adds_nothing_twice(film: Path, tmp_path: Path) -> None:
    first = rows(local(job({"a": film}, tmp_path))[0])
    assert rows(local(job({"a": film}, tmp_path))[0]) == first


def test_windows_that_fail_are_counted_and_the_rest_goes_on(film: Path, tmp_path: Path) -> None:
    lanes = [failing_lane(brightness_lane(rate_hz=25), 5), loudness_lane()]
    (result,) = local(job({"a": film}, tmp_path, lanes=lanes))
    assert result.summary is not None
    books = result.summary["ledger"]
    assert books["closed"]
    assert books["lanes"]["brightness"]["failed"] == {"ArithmeticError": 10}
    assert books["lanes"]["brightness"]["analysed"] == 40
    assert {row["lane"] for row in rows(result)} == {"brightness", "loudness"}


def test_a_bad_source_harms_no_other(film: Path, media: Path, tmp_path: Path) -> None:
    watcher = ListWatcher()
    sources = {"a": media / "missing.mp4", "b": film}
    (bad, good), _ = run_local(job(sources, tmp_path), watcher, Metrics())
    assert "no such file" in str(bad.error) and bad.summary is None
    assert good.error is None
    assert set(watcher.results) == {"a", "b"}
    assert files(tmp_path) == ["b/events.jsonl", "b/summary.json"]


@pytest.mark.parametrize("seed", range(3))
def test_the_books_of_a_damaged_film_close(media: Path, tmp_path: Path, seed: int) -> None:
    stream = clips.make(media, clips.Recipe("ts", clips.Picture(b_frames=2)))
    (result,) = local(job({"a": clips.flipped(stream, seed=seed + 10)}, tmp_path))
    assert result.summary is not None
    assert result.summary["ledger"]["closed"]
    assert sum(result.summary["ledger"]["troubles"].values()) > 0


class Interrupting(ListWatcher):
    """Presses Ctrl-C once the stream has come this far."""

    def reached(self, stream: str, position: Fraction) -> None:
        super().reached(stream, position)
        if stream == "b" and position >= Fraction(1, 2):
            raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_read(film: Path, tmp_path: Path) -> None:
    done = job({"a": film, "b": film, "c": film}, tmp_path)
    results, interrupted = run_local(done, Interrupting(), Metrics())
    assert interrupted
    assert [result.source.stream for result in results] == ["a", "b"]
    whole, partial = (result.summary for result in results)
    assert whole is not None and whole["complete"] and not whole["interrupted"]
    assert partial is not None and partial["interrupted"] and not partial["complete"]
    assert partial["ledger"]["closed"]
    assert Fraction(1, 2) <= partial["media_s"] < 2
    assert files(tmp_path / "b") == ["events.jsonl", "summary.json"]
    ends = [Fraction(row["end"]) for row in rows(results[1])]
    assert ends and all(end <= partial["media_s"] for end in ends)


def test_an_output_that_cannot_be_written_harms_no_other_source(film: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file in the way", encoding="utf-8")
    bad, good = local(job({"a": film, "b": film}, tmp_path))
    assert "cannot be written" in str(bad.error) and bad.summary is None
    assert good.error is None
    assert files(tmp_path) == ["a", "b/events.jsonl", "b/summary.json"]
