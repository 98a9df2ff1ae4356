from collections import Counter
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.batch.inputs import Input
from pipeline.batch.stretch import StretchReader
from pipeline.batch.unit import Unit, cut
from pipeline.cut import Cut, Reader, ReadReport
from pipeline.lane import Lane
from pipeline.testing import blob_lane, brightness_lane, loudness_lane
from tests import clips
from tests.pipeline.batch.jobs import divisible

LANES = (
    divisible(brightness_lane(rate_hz=7)),
    divisible(blob_lane(rate_hz=25)),
    loudness_lane(hop_s=0.1),
)
GAP = [Fraction(number, 10) for number in range(60) if not 23 <= number < 41]


def recipe(b_frames: int = 0, gop: int = 10) -> clips.Recipe:
    """Six seconds at 10 Hz."""
    picture = replace(clips.at_rate(Fraction(10), 6), b_frames=b_frames, gop=gop)
    return clips.Recipe("mp4", picture, clips.Sound(seconds=Fraction(6)))


def gappy() -> clips.Recipe:
    """Pictures are missing from 2.3 s to 4.1 s."""
    whole = recipe()
    assert whole.picture
    return replace(whole, picture=replace(whole.picture, times=tuple(GAP)), ending="mkv")


def read(reader: Reader) -> tuple[list[Cut], ReadReport]:
    with closing(reader):
        return list(reader.cuts()), reader.report()


def seen(cuts: list[Cut], lanes: tuple[Lane, ...]) -> dict[str, list[object]]:
    """What each lane is shown: when, and what, but for the number of the window."""
    return {
        lane.name: [
            (w.mark.span, w.mark.units, w.mark.size, w.data.tobytes())
            for c in cuts
            if c.lane == lane.name
            for w in c.windows
        ]
        for lane in lanes
    }


@pytest.mark.parametrize(
    ("made", "each"),
    [
        (recipe(), Fraction(1)),
        (recipe(b_frames=2), Fraction(7, 5)),
        (recipe(gop=23), Fraction(3)),
        (gappy(), Fraction(7, 5)),
    ],
    ids=["plain", "b_frames", "long_gop", "gap"],
)
def test_the_parts_together_are_the_whole(made: clips.Recipe, each: Fraction, media: Path) -> None:
    path = str(clips.make(media, made))
    cuts, whole = read(Reader(path, "a", LANES))
    unit = Unit(Input("a", path, "1", 1, "unknown"))
    pieces: list[Cut] = []
    decoded: Counter[str] = Counter()
    not_sampled: Counter[str] = Counter()
    gaps, positions = [], []
    for part in (u.part for u in cut(unit, {"video", "audio"}, Fraction(6), each)):
        assert part is not None
        some, report = read(StretchReader(path, "a", LANES, part))
        pieces += some
        decoded.update(report.progress.decoded)
        not_sampled.update(report.progress.not_sampled)
        gaps += report.gaps
        positions.append(report.progress.position)
        assert report.error is None
    assert seen(pieces, LANES) == seen(cuts, LANES)
    assert dict(decoded) == whole.progress.decoded
    assert dict(not_sampled) == whole.progress.not_sampled
    assert sorted(gaps, key=str) == sorted(whole.gaps, key=str)
    assert max(positions) == whole.progress.position


def test_a_part_behind_the_end_is_empty(media: Path) -> None:
    path = str(clips.make(media, recipe()))
    unit = Unit(Input("a", path, "1", 1, "unknown"))
    last = cut(unit, {"video"}, Fraction(30), Fraction(10))[-1].part
    assert last is not None
    cuts, report = read(StretchReader(path, "a", LANES, last))
    assert (cuts, report.progress.decoded, report.error) == ([], {}, None)
