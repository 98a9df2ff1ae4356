from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.cut import Cut, Progress, Reader, ReadReport
from pipeline.errors import SourceMissing, SourceUnreadable
from pipeline.lane import Lane
from pipeline.lanes.gate import MotionGateConfig
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.windowing import FrameWindower, fit_exactly
from pipeline.media.scan import ScanSettings
from pipeline.records import Span
from pipeline.testing import SOUND_HZ, blob_lane, brightness_lane, loudness_lane
from tests import clips

LANES = (brightness_lane(), blob_lane(rate_hz=5), loudness_lane())


def read(source: Path, lanes: tuple[Lane, ...] = LANES) -> tuple[Reader, list[Cut], ReadReport]:
    with closing(Reader(str(source), "a", lanes)) as reader:
        cuts = list(reader.cuts())
        return reader, cuts, reader.report()


def units(cuts: list[Cut], lane: str) -> int:
    return sum(window.mark.units for cut in cuts if cut.lane == lane for window in cut.windows)


def books_close(reader: Reader, cuts: list[Cut], report: ReadReport) -> bool:
    told = {
        lane.name: units(cuts, lane.name) + report.progress.not_sampled[lane.name]
        for lane in reader.lanes
    }
    return told == {lane.name: report.progress.decoded[lane.medium] for lane in reader.lanes}


def test_one_decode_feeds_every_lane(film: Path) -> None:
    reader, cuts, report = read(film)
    assert report.progress.decoded["video"] == 50
    assert report.progress.position >= 2
    assert (report.error, report.troubles, report.gaps) == (None, {}, ())
    assert books_close(reader, cuts, report)
    by_lane = {
        lane.name: [w for c in cuts if c.lane == lane.name for w in c.windows] for lane in LANES
    }
    assert {name: len(windows) for name, windows in by_lane.items()} == {
        "brightness": 20,
        "blobs": 10,
        "loudness": -(-report.progress.decoded["audio"] * SOUND_HZ // 48_000 // 2000),
    }
    for windows in by_lane.values():
        assert [window.mark.index for window in windows] == list(range(len(windows)))


def test_a_cut_holds_one_lane_and_at_most_its_batch(film: Path) -> None:
    _, cuts, _ = read(film)
    batches = {lane.name: lane.batch for lane in LANES}
    assert all(1 <= len(cut.windows) <= batches[cut.lane] for cut in cuts)
    assert all(window.mark.lane == cut.lane for cut in cuts for window in cut.windows)


def test_windows_do_not_depend_on_the_batch(film: Path) -> None:
    def marks(batch: int) -> list[object]:
        _, cuts, _ = read(film, (brightness_lane(batch=batch),))
        return [(w.mark, w.data.tobytes()) for cut in cuts for w in cut.windows]

    assert marks(1) == marks(3) == marks(64)


def test_progress_never_runs_back_and_never_lags_its_windows(film: Path) -> None:
    _, cuts, report = read(film)
    position = Progress.nothing().position
    for cut in cuts:
        assert position <= cut.progress.position
        assert cut.progress.position >= cut.windows[-1].mark.span.start
        position = cut.progress.position
    assert report.progress.position >= position


@pytest.mark.parametrize(
    ("name", "idle"), [("silent_film", {"loudness"}), ("recording", {"brightness", "blobs"})]
)
def test_a_lane_without_its_medium_is_idle(
    name: str, idle: set[str], request: pytest.FixtureRequest
) -> None:
    reader, cuts, report = read(request.getfixturevalue(name))
    assert {lane.name for lane in reader.idle_lanes} == idle
    assert {cut.lane for cut in cuts} == {lane.name for lane in LANES} - idle
    assert books_close(reader, cuts, report)


def test_a_medium_that_no_lane_wants_is_not_decoded(film: Path) -> None:
    _, _, report = read(film, (loudness_lane(),))
    assert "video" not in report.progress.decoded


@pytest.mark.parametrize("seed", range(4))
def test_the_books_of_damaged_sources_close(media: Path, seed: int) -> None:
    stream = clips.make(media, clips.Recipe("ts", clips.Picture(b_frames=2), clips.Sound()))
    reader, cuts, report = read(clips.flipped(stream, seed=seed))
    assert books_close(reader, cuts, report)
    assert report.progress.decoded["video"] > 0
    assert sum(report.troubles.values()) > 0


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_source_cut_short_gives_what_it_holds(media: Path, kept: float) -> None:
    stream = clips.make(media, clips.Recipe("ts"))
    reader, cuts, report = read(clips.truncated(stream, kept))
    assert books_close(reader, cuts, report)
    assert Fraction(1, 2) < report.progress.position < 2


def test_what_cannot_be_opened_says_so(media: Path, recording: Path) -> None:
    with pytest.raises(SourceMissing, match="no such file"):
        Reader(str(media / "missing.mp4"), "a", LANES)
    with pytest.raises(SourceUnreadable, match="has no video"):
        Reader(str(recording), "a", (brightness_lane(),))


def test_a_header_without_anything_behind_it_is_refused(media: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no stream of pictures or sound"):
        Reader(str(clips.header_only(media)), "a", LANES)


class Withheld:
    """A windower's totals, and nothing else."""

    def __init__(self, passed_over: int, gated: int, dropped: dict[str, int], span: Span | None):
        self.not_sampled = passed_over
        self.gated = gated
        self.dropped = dropped
        self.gated_span = span


def test_progress_tells_the_totals_of_every_windower() -> None:
    span = Span(Fraction(1), Fraction(2))
    windowers: Any = {
        "action": Withheld(3, 4, {"lower_rate": 5}, span),
        "sound": Withheld(0, 0, {}, None),
    }
    given_up = {"action": {"lag": 6, "lower_rate": 1}, "sound": {"drop_oldest": 800}}
    told = Progress.of(Fraction(7), {"video": 18}, windowers, given_up)
    assert told == Progress(
        Fraction(7),
        {"video": 18},
        {"action": 3, "sound": 0},
        {"action": 4, "sound": 0},
        {"action": {"lower_rate": 6, "lag": 6}, "sound": {"drop_oldest": 800}},
        {"action": span},
    )


def test_the_totals_of_a_later_reader_come_on_top() -> None:
    early, late = Span(Fraction(1), Fraction(2)), Span(Fraction(8), Fraction(9))
    one = Progress(
        Fraction(5), {"video": 10}, {"a": 1}, {"a": 2}, {"a": {"lag": 3}}, {"a": early, "b": early}
    )
    other = Progress(
        Fraction(9),
        {"video": 7, "audio": 5},
        {"a": 4},
        {},
        {"a": {"lag": 1}, "b": {"x": 2}},
        {"a": late},
    )
    assert other.after(one) == Progress(
        Fraction(9),
        {"video": 17, "audio": 5},
        {"a": 5},
        {"a": 2},
        {"a": {"lag": 4}, "b": {"x": 2}},
        {"a": late, "b": early},
    )
    assert one.after(Progress.nothing()) == one


def test_what_decoding_cost_is_added_up_and_is_no_part_of_what_was_done() -> None:
    one = Progress(Fraction(5), {"video": 10}, {}, decode_s={"video": 0.5})
    other = Progress(Fraction(5), {"video": 10}, {}, decode_s={"video": 0.25, "audio": 1.0})
    assert one == other
    assert other.after(one).decode_s == {"video": 0.75, "audio": 1.0}
    assert Progress.nothing().after(one) == one


def test_the_books_close_with_a_gate(film: Path) -> None:
    lane = replace(brightness_lane(), make_windower=partial(gated_windower, "brightness"))
    _, cuts, report = read(film, (lane,))
    progress = report.progress
    assert progress.gated["brightness"] > 0
    told = units(cuts, "brightness") + progress.gated["brightness"]
    assert told + progress.not_sampled["brightness"] == progress.decoded["video"]


def test_the_books_close_with_a_scan(film: Path) -> None:
    with closing(Reader(str(film), "a", LANES, scan=ScanSettings(kind="keyframes"))) as reader:
        cuts = list(reader.cuts())
        report = reader.report()
    progress = report.progress
    decoded = sum(row.decoded for row in report.scan)
    assert progress.decoded["video"] == 50 == sum(row.frames for row in report.scan)
    for name in ("brightness", "blobs"):
        told = units(cuts, name) + progress.not_sampled[name] + progress.gated[name]
        assert told == 50
        assert progress.gated[name] == 50 - decoded
    assert progress.gated["loudness"] == 0
    assert units(cuts, "loudness") + progress.not_sampled["loudness"] == progress.decoded["audio"]
    spans = [window.mark.gated for cut in cuts if cut.lane == "blobs" for window in cut.windows]
    assert spans[0] is None
    assert all(span is not None for span in spans[1:])
    assert progress.gated_spans["blobs"].end == 2


def gated_windower(lane: str, stream: str) -> FrameWindower:
    gate = MotionGateConfig(least_area=1, hold_s=0, heartbeat_s=1).build()()
    return FrameWindower(stream, lane, RateSampler(10), fit_exactly(16, 12), gate=gate)
