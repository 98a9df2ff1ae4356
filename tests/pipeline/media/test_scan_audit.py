"""Recall as a number, against known values."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.media.gops import GopRow
from pipeline.media.scan import Fate, Reason
from pipeline.media.scan_audit import Audit, audit_of, wilson
from pipeline.records import Span


def row(start: int, end: int, fate: Fate, reason: Reason) -> GopRow:
    frames = 50 * (end - start)
    span = Span(Fraction(2 * start), Fraction(2 * end))
    return GopRow(span, fate, reason, end - start, frames, frames, 1.0)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        # Values as tabulated for Wilson's interval without continuity correction.
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (15, 148, 0.0624, 0.1605),
        (81, 263, 0.2553, 0.3662),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_interval_has_the_known_bounds(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=6e-5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    for truth in (0.05, 0.3):
        hits = draw.binomial(200, truth, 1000)
        held = sum(low <= truth <= high for low, high in (wilson(int(h), 200) for h in hits))
        assert 920 <= held <= 980


def test_an_event_counts_in_the_group_in_which_it_starts() -> None:
    rows = [
        row(0, 5, "all", "active"),
        row(5, 9, "none", "quiet"),
        row(9, 10, "all", "audit"),
        row(10, 11, "all", "audit"),
        row(11, 12, "key", "heartbeat"),
        row(12, 13, "all", "audit"),
    ]
    events = [Span(Fraction(1), Fraction(30)), Span(Fraction(20), Fraction(41, 2))]
    found = audit_of(rows, events)
    assert found == Audit(audited=3, missed=1, skipped=5)
    assert found.rate == pytest.approx(1 / 3)
    assert audit_of(rows, []).missed == 0
    assert found.plus(found) == Audit(6, 2, 10)


def test_recall_comes_with_its_bounds() -> None:
    audit = Audit(audited=100, missed=2, skipped=1000)
    expected, least, most = audit.missed_of_skipped or (0, 0, 0)
    assert (expected, least, most) == pytest.approx((20, 5.5, 70.0), abs=0.1)
    assert audit.recall(480) == pytest.approx((0.96, 480 / 550.0, 480 / 485.5), abs=1e-3)


def test_without_an_audit_nothing_is_claimed() -> None:
    none = audit_of([row(0, 9, "none", "quiet")], [])
    assert none.rate is None
    assert none.recall(10) is None
    assert none.missed_of_skipped is None
    assert (none.low, none.high) == (0.0, 1.0)
    assert Audit(10, 0, 10).recall(0) is None
