from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.card import Card, CheckpointError
from pipeline.lanes.labels import HysteresisConfig, LabelAggregator
from pipeline.records import Event, Failure, Mark, Prediction, Span
from pipeline.spans import Hysteresis
from pipeline.testing import PLAIN, plain_card

STEP = Fraction(1, 10)
CARD = plain_card("wavenet", ("background", "bark"))


def mark(index: int, steps: int = 5, fresh: bool = False) -> Mark:
    start = index * 5 * STEP
    return Mark("a", "sound", index, Span(start, start + steps * STEP), 1, None, fresh)


def heard(index: int, *levels: float, fresh: bool = False, steps: int = 5) -> Prediction:
    rows = np.array([[1 - level, level] for level in levels], np.float32)
    return Prediction(mark(index, steps, fresh), scores=rows)


def events(*answers: Prediction | Failure, rule: Hysteresis = PLAIN) -> list[Event]:
    aggregator = LabelAggregator("a", "sound", CARD, rule, STEP)
    out = [event for answer in answers for event in aggregator.push(answer)]
    return out + list(aggregator.flush())


def told(found: list[Event]) -> list[tuple[float, float]]:
    return [(float(event.span.start), float(event.span.end)) for event in found]


def test_a_span_runs_across_windows() -> None:
    (found,) = events(heard(0, 0, 0, 0, 1, 1), heard(1, 1, 0, 0, 0, 0))
    assert found == Event(
        "a", "sound", Span(3 * STEP, 6 * STEP), "bark", 1.0, CARD.name, CARD.sha256
    )


def test_the_padded_tail_says_nothing() -> None:
    # The window's span covers two steps: what the network says of the padding is ignored.
    assert told(events(heard(0, 0, 1, 1, 1, 1, steps=2))) == [(0.1, 0.2)]


@pytest.mark.parametrize(
    "broken", [Failure(mark(1), "RuntimeError"), heard(1, 1, 1, 1, 1, 1, fresh=True)]
)
def test_what_is_missing_ends_a_span(broken: Prediction | Failure) -> None:
    found = told(events(heard(0, 0, 0, 0, 1, 1), broken, heard(2, 1, 1, 0, 0, 0)))
    assert found[0] == (0.3, 0.5)


def test_an_open_label_holds_over_a_gated_stretch_until_a_frame_says_otherwise() -> None:
    aggregator = LabelAggregator("a", "action", CARD, PLAIN)
    out: list[Event] = []
    for start, level in [(0, 1.0), (1, 1.0), (60, 1.0), (61, 0.0), (62, 1.0), (90, 0.0)]:
        span = Span(Fraction(start), start + Fraction(1, 25))
        still = Span(Fraction(2), Fraction(60)) if start == 60 else None
        told = Mark("a", "action", start, span, 1, gated=still)
        row = np.array([[1 - level, level]], np.float32)
        out += aggregator.push(Prediction(told, scores=row))
    out += aggregator.flush()
    assert [(float(e.span.start), float(e.span.end)) for e in out] == [(0.0, 61.0), (62.0, 90.0)]


@pytest.mark.parametrize("told", [False, True])
def test_an_outage_after_a_gated_stretch_ends_a_label_with_the_stretch(told: bool) -> None:
    aggregator = LabelAggregator("a", "action", CARD, PLAIN)
    row = np.array([[0.0, 1.0]], np.float32)
    seen = Span(Fraction(0), Fraction(1))
    assert list(aggregator.push(Prediction(Mark("a", "action", 0, seen, 1), scores=row))) == []
    if told:
        aggregator.still(Fraction(3))
        assert aggregator.watermark == 3
    later, still = Span(Fraction(60), Fraction(61)), Span(Fraction(1), Fraction(5))
    fresh = Mark("a", "action", 1, later, 1, None, True, still)
    (event,) = aggregator.push(Prediction(fresh, scores=row))
    assert event.span == Span(Fraction(0), Fraction(5))


def test_without_steps_a_row_stands_for_the_whole_window() -> None:
    aggregator = LabelAggregator("a", "action", CARD, PLAIN)
    for index in range(2):
        assert list(aggregator.push(heard(index, 1.0))) == []
    assert told(list(aggregator.flush())) == [(0.0, 1.0)]


# Not st.floats: a pool member flushes subnormal numbers for its whole process.
rows = st.lists(st.integers(0, 100).map(lambda n: n / 100), min_size=5, max_size=5)


@given(st.lists(rows, min_size=1, max_size=6), st.lists(rows, min_size=1, max_size=6))
def test_the_future_alters_nothing_that_was_said(
    past: list[list[float]], future: list[list[float]]
) -> None:
    rule = Hysteresis(smooth_s=0.2, on=0.6, off=0.4, min_s=0.2, merge_s=0.3)
    aggregator = LabelAggregator("a", "sound", CARD, rule, STEP)
    other = LabelAggregator("a", "sound", CARD, rule, STEP)
    for index, levels in enumerate(past):
        assert list(aggregator.push(heard(index, *levels))) == list(
            other.push(heard(index, *levels))
        )
    limit = other.watermark
    assert limit is not None
    for index, levels in enumerate(future, len(past)):
        assert all(event.span.end >= limit for event in other.push(heard(index, *levels)))


def test_the_rule_is_config_over_card_over_plain_defaults() -> None:
    card = Card("m", "wavenet", ("a",), {}, {}, postprocessing={"on": 0.9, "off": 0.2, "note": 1})
    rule = HysteresisConfig(off=0.1, min_s=1.0).build(card)
    assert rule == Hysteresis(smooth_s=0.3, on=0.9, off=0.1, min_s=1.0, merge_s=0.3)


def test_a_rule_that_makes_no_sense_names_the_checkpoint() -> None:
    with pytest.raises(CheckpointError, match=r"plain-wavenet: .*off=0.9, on=0.6"):
        HysteresisConfig(off=0.9).build(CARD)
