from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lane import Lane
from pipeline.predict import PoolMember
from pipeline.records import Failure, Mark, Prediction, Span, Window
from pipeline.testing import (
    BrightnessPredictor,
    brightness_lane,
    failing_lane,
    loudness_lane,
)

LANE = brightness_lane()


def picture(stream: str, index: int, size: tuple[int, int] = (8, 6)) -> Window:
    span = Span(Fraction(index), Fraction(index + 1))
    level = (37 * index + len(stream)) % 256
    image = np.full((size[1], size[0], 3), level, np.uint8)
    return Window(Mark(stream, LANE.name, index, span, 1, size), image)


class Calls(BrightnessPredictor):
    """Remembers what each call held."""

    def __init__(self) -> None:
        self.held: list[list[tuple[int, ...]]] = []

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        self.held.append([window.data.shape for window in windows])
        return super().predict(windows)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([(8, 6), (6, 8)])), max_size=14))
def test_answers_keep_the_order_and_calls_hold_one_size(
    drawn: list[tuple[str, tuple[int, int]]],
) -> None:
    calls = Calls()
    member = PoolMember([replace(LANE, make_predictor=lambda: calls)])
    windows = [picture(name, index, size) for index, (name, size) in enumerate(drawn)]
    answers = member.predict(LANE.name, windows).answers
    assert [answer.mark for answer in answers] == [window.mark for window in windows]
    assert all(len(set(shapes)) == 1 and len(shapes) <= LANE.batch for shapes in calls.held)


def test_a_network_without_memory_is_seen_whole_and_followed_as_it_is() -> None:
    windows = [picture("a", index) for index in range(7)]
    member = PoolMember([failing_lane(LANE, every=3)])
    seen = member.see(LANE.name, windows)
    assert [type(known) for known in seen].count(Failure) == 2
    assert member.follow(LANE.name, seen) == seen


def test_a_window_that_fails_harms_no_other() -> None:
    lane = failing_lane(LANE, every=3)
    windows = [picture("a", index) for index in range(7)]
    answers = PoolMember([lane]).predict(lane.name, windows).answers
    failed = [answer for answer in answers if isinstance(answer, Failure)]
    assert [failure.mark.index for failure in failed] == [2, 5]
    assert {failure.reason for failure in failed} == {"ArithmeticError"}
    alone = PoolMember([LANE]).predict(LANE.name, windows).answers
    for one, other in zip(answers, alone, strict=True):
        if isinstance(one, Prediction) and isinstance(other, Prediction):
            assert one.scores is not None and other.scores is not None
            assert np.array_equal(one.scores, other.scores)


def test_each_stream_gets_its_own_part_of_a_shared_batch() -> None:
    parts = [[picture("a", n) for n in range(2)], [picture("b", n) for n in range(3)]]
    seconds, *answers = PoolMember([LANE]).answer_each(LANE.name, *parts)
    assert isinstance(seconds, float) and seconds > 0
    told = [[answer.mark for answer in part] for part in answers if isinstance(part, list)]
    assert told == [[window.mark for window in part] for part in parts]


def sound(stream: str, index: int, level: float, fresh: bool = False) -> Window:
    span = Span(Fraction(index, 4), Fraction(index + 1, 4))
    mark = Mark(stream, "loudness", index, span, 2000, None, fresh)
    return Window(mark, np.full(2000, level, np.float32))


def scores(member: PoolMember, lane: Lane, window: Window) -> np.ndarray:
    (answer,) = member.predict(lane.name, [window]).answers
    assert isinstance(answer, Prediction)
    assert answer.scores is not None
    return answer.scores


def test_state_belongs_to_one_stream_and_ends_with_it() -> None:
    lane = loudness_lane()
    member = PoolMember([lane])
    scores(member, lane, sound("a", 0, 0.2))
    assert scores(member, lane, sound("b", 0, 0.0))[0, 1] == 0
    assert scores(member, lane, sound("a", 1, 0.0))[0, 1] > 0
    assert scores(member, lane, sound("a", 2, 0.0, fresh=True))[0, 1] == 0
    scores(member, lane, sound("a", 3, 0.2))
    member.forget("a")
    member.forget("never seen")
    assert scores(member, lane, sound("a", 4, 0.0))[0, 1] == 0
