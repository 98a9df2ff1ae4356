import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch.answers import ROWS_AT_ONCE, AnswerWriter, Known, read_answers, told
from pipeline.records import Failure, Feature, InstanceMask, Mark, Prediction, Rle, Span

TIMES = st.fractions(min_value=0, max_value=10**6, max_denominator=90_000)
FLOATS = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)


class Buffer(io.BytesIO):
    """Stays open, like a file of the store."""

    def close(self) -> None:
        """Nothing."""


def mark(number: int, start: Fraction = Fraction(0)) -> Mark:
    return Mark("yard", "people", number, Span(start, start + 1), 1, (640, 360), number == 0)


def through(answers: list[Known]) -> list[Known]:
    buffer = Buffer()
    writer = AnswerWriter(buffer)  # type: ignore[arg-type]
    for answer in answers:
        writer.write(answer)
    writer.close()
    return list(read_answers(buffer.getvalue(), "yard"))


@given(start=TIMES, length=TIMES, fresh=st.booleans(), units=st.integers(0, 10**6))
def test_times_stay_exact(start: Fraction, length: Fraction, fresh: bool, units: int) -> None:
    known = Mark("yard", "bell", 0, Span(start, start + length), units, None, fresh)
    assert through([Failure(known, "MemoryError")]) == [Failure(known, "MemoryError")]


@given(
    values=st.lists(FLOATS, min_size=6, max_size=6), score=st.floats(0, 1, allow_subnormal=False)
)
def test_numbers_stay_exact(values: list[float], score: float) -> None:
    scores = np.array(values, np.float32).reshape(2, 3)
    thing = InstanceMask("dog", score, (0.1, 0.2, 3.5, score), Rle(4, 5, "abc1"))
    prediction, feature = through(
        [
            Prediction(mark(0), scores=scores, instances=(thing,)),
            Feature(mark(0), scores.ravel()),
        ]
    )
    assert isinstance(prediction, Prediction)
    assert prediction.scores is not None
    assert prediction.scores.tobytes() == scores.tobytes()
    assert prediction.scores.shape == (2, 3)
    assert prediction.instances == (thing,)
    assert isinstance(feature, Feature)
    assert feature.values.tobytes() == scores.tobytes()


def test_nothing_seen_is_an_answer_too() -> None:
    [answer] = through([Prediction(mark(0), instances=())])
    assert isinstance(answer, Prediction)
    assert (answer.scores, answer.instances) == (None, ())


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_all_come_back_in_order(count: int) -> None:
    answers = [Failure(mark(0, Fraction(number)), str(number)) for number in range(count)]
    assert [answer.mark.span.start for answer in through([*answers])] == list(range(count))


def test_a_record_is_the_same_bytes_for_the_same_content() -> None:
    assert (
        told({"b": 1, "a": [2]})
        == told({"a": [2], "b": 1})
        == b'{\n "a": [\n  2\n ],\n "b": 1\n}\n'
    )
