from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Span
from pipeline.spans import Hysteresis, LabelSpan, SpanMaker

STEP = Fraction(1, 10)
LABELS = ("background", "bark", "bell")

# Not st.floats: a pool member flushes subnormal numbers for its whole process.
levels = st.integers(0, 100).map(lambda n: n / 100)
scores = st.lists(st.tuples(levels, levels), min_size=1, max_size=40)
rules = st.builds(
    lambda smooth, on, off, least, merge: Hysteresis(
        smooth, max(on, off), min(on, off), least, merge
    ),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.sampled_from([0.0, 0.2, 0.3]),
    st.sampled_from([0.0, 0.1, 0.4]),
)


def rule(
    smooth_s: float = 0.0,
    on: float = 0.6,
    off: float = 0.4,
    min_s: float = 0.0,
    merge_s: float = 0.0,
) -> Hysteresis:
    return Hysteresis(smooth_s, on, off, min_s, merge_s)


def feed(maker: SpanMaker, rows: list[tuple[float, float]], first: int = 0) -> list[LabelSpan]:
    out: list[LabelSpan] = []
    for number, (bark, bell) in enumerate(rows, first):
        row = np.array([0.0, bark, bell], np.float32)
        out += maker.push(Span(number * STEP, (number + 1) * STEP), row)
    return out


def spans_of(rows: list[tuple[float, float]], rule: Hysteresis) -> list[LabelSpan]:
    maker = SpanMaker(LABELS, rule, frozenset({"background"}))
    return feed(maker, rows) + list(maker.flush())


def bark(*levels: float) -> list[tuple[float, float]]:
    return [(level, 0.0) for level in levels]


def told(found: list[LabelSpan]) -> list[tuple[float, float]]:
    return [(float(one.span.start), float(one.span.end)) for one in found]


def test_a_label_opens_at_on_and_closes_below_off() -> None:
    found = spans_of(bark(0.5, 0.6, 0.5, 0.4, 0.3, 0.5), rule())
    assert told(found) == [(0.1, 0.4)]
    assert found[0].label == "bark"
    assert found[0].score == pytest.approx(0.6)


def test_what_is_too_short_is_not_told() -> None:
    assert told(spans_of(bark(0, 1, 1, 0, 1, 1, 1, 0), rule(min_s=0.3))) == [(0.4, 0.7)]


def test_a_small_gap_is_closed_and_a_larger_one_is_not() -> None:
    levels = bark(1, 0, 0, 1, 0, 0, 0, 1)
    assert told(spans_of(levels, rule(merge_s=0.2))) == [(0.0, 0.4), (0.7, 0.8)]


def test_a_running_mean_rides_over_a_single_drop() -> None:
    levels = bark(1, 1, 1, 0, 1, 1)
    assert len(spans_of(levels, rule())) == 2
    assert told(spans_of(levels, rule(smooth_s=0.3))) == [(0.0, 0.6)]


def test_labels_may_overlap_and_background_is_silent() -> None:
    maker = SpanMaker(LABELS, rule(), frozenset({"background"}))
    span = Span(Fraction(0), STEP)
    assert list(maker.push(span, np.array([0.9, 0.9, 0.9], np.float32))) == []
    assert [one.label for one in maker.flush()] == ["bark", "bell"]


def test_scores_must_fit_the_labels() -> None:
    maker = SpanMaker(LABELS, rule())
    with pytest.raises(ValueError, match=r"3 labels need as many scores, not \(2,\)"):
        list(maker.push(Span(Fraction(0), STEP), np.zeros(2)))


@pytest.mark.parametrize(("on", "off"), [(0.4, 0.6), (1.2, 0.5), (0.5, -0.1)])
def test_thresholds_out_of_order_are_refused(on: float, off: float) -> None:
    with pytest.raises(ValueError, match="0 <= off <= on <= 1"):
        rule(on=on, off=off)


@given(scores, scores, rules)
def test_the_future_alters_nothing_that_was_said(
    past: list[tuple[float, float]], future: list[tuple[float, float]], chosen: Hysteresis
) -> None:
    alone = SpanMaker(LABELS, chosen)
    followed = SpanMaker(LABELS, chosen)
    before = feed(alone, past)
    assert feed(followed, past) == before
    after = feed(followed, future, first=len(past))
    # Whatever comes later speaks of spans that were open or still mergeable at that time.
    mark = alone.watermark
    assert mark is not None
    assert all(one.span.end >= mark for one in after)


@given(scores, rules)
def test_no_span_ends_before_the_watermark(
    rows: list[tuple[float, float]], chosen: Hysteresis
) -> None:
    maker = SpanMaker(LABELS, chosen)
    mark = None
    for number, row in enumerate(rows):
        for found in feed(maker, [row], first=number):
            assert mark is None or found.span.end >= mark
        assert maker.watermark is not None
        assert mark is None or maker.watermark >= mark
        mark = maker.watermark
    assert all(found.span.end >= mark for found in maker.flush() if mark is not None)


@given(scores, rules)
def test_spans_of_a_label_are_long_enough_and_apart(
    rows: list[tuple[float, float]], chosen: Hysteresis
) -> None:
    least, apart = (Fraction(s).limit_denominator(1000) for s in (chosen.min_s, chosen.merge_s))
    for label in LABELS:
        found = [one.span for one in spans_of(rows, chosen) if one.label == label]
        assert all(span.duration >= least and span.duration > 0 for span in found)
        assert all(later.start - earlier.end > apart for earlier, later in pairwise(found))


@given(scores, rules)
def test_a_flushed_maker_is_as_new(rows: list[tuple[float, float]], chosen: Hysteresis) -> None:
    used = SpanMaker(LABELS, chosen, frozenset({"background"}))
    first = feed(used, rows) + list(used.flush())
    again = feed(used, rows, first=len(rows) + 100) + list(used.flush())
    shift = (len(rows) + 100) * STEP
    moved = [
        LabelSpan(Span(one.span.start + shift, one.span.end + shift), one.label, one.score)
        for one in first
    ]
    assert again == moved
