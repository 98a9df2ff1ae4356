from fractions import Fraction

import pytest

from pipeline.batch.tables import FailureRow
from pipeline.batch.verdict import broken, cut_short
from pipeline.cut import Progress, ReadReport


def report(error: str | None = None, **troubles: int) -> ReadReport:
    return ReadReport(Progress(Fraction(7, 2), {}, {}), troubles, (), error)


def test_a_video_that_was_read_to_its_end_has_nothing() -> None:
    assert broken("yard", report()) == []
    assert broken("yard", report(video_non_monotonic=3)) == []


def test_one_that_broke_off_says_where() -> None:
    row = FailureRow("yard", "broke_off", "no more data", 2, 3.5, True)
    assert broken("yard", report("no more data", video_corrupt=9), 2) == [row]


def test_damage_is_counted() -> None:
    [row] = broken("yard", report(video_corrupt=2, audio_corrupt=1, video_nothing_decoded=0))
    assert (row.kind, row.position_s, row.partial) == ("damaged", 3.5, True)
    assert row.reason.startswith("damaged: 1 audio corrupt, 2 video corrupt;")


@pytest.mark.parametrize(
    ("position", "claimed", "short"),
    [
        (10, None, False),
        (10, 10, False),
        (8, 10, False),
        (7, 10, True),
        (990, 1000, False),
        (970, 1000, True),
    ],
)
def test_an_end_before_the_header_s_is_told(
    position: int, claimed: int | None, short: bool
) -> None:
    length = None if claimed is None else Fraction(claimed)
    rows = cut_short("yard", Fraction(position), length)
    assert [row.kind for row in rows] == ["cut_short"] * short


def test_a_header_without_anything_behind_it_leaves_nothing() -> None:
    [row] = cut_short("yard", Fraction(0), Fraction(10))
    assert not row.partial
