from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import Event, InstanceMask, Rle, Span
from pipeline.sinks.rows import event_from, row_from

times = st.fractions(min_value=0, max_value=10**6, max_denominator=90_000)
edges = st.integers(0, 400_000).map(lambda n: n / 100)
scores = st.integers(0, 10_000).map(lambda n: n / 10_000)
instances = st.builds(
    InstanceMask,
    label=st.just("person"),
    score=scores,
    box=st.tuples(edges, edges, edges, edges),
    rle=st.builds(Rle, st.integers(1, 99), st.integers(1, 99), st.text("0123abc", max_size=9)),
    track_id=st.none() | st.integers(0, 99),
)


@given(times, times, scores, st.none() | instances)
def test_a_row_holds_the_whole_event(
    one: Fraction, other: Fraction, score: float, instance: InstanceMask | None
) -> None:
    label = instance.label if instance else "bark"
    score = instance.score if instance else score
    span = Span(min(one, other), max(one, other))
    event = Event("yard", "lane", span, label, score, "model", "sha", instance)
    assert event_from(row_from(event)) == event


def test_a_row_is_readable() -> None:
    span = Span(Fraction(1, 3), Fraction(1001, 30_000) * 30)
    row = row_from(Event("yard", "sound", span, "bark", 0.123456, "model", "sha"))
    assert row == {
        "stream": "yard",
        "lane": "sound",
        "start_s": 0.333333,
        "end_s": 1.001,
        "start": "1/3",
        "end": "1001/1000",
        "label": "bark",
        "score": 0.1235,
        "track_id": None,
        "box": None,
        "mask": None,
        "model": "model",
        "model_sha256": "sha",
    }
