from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cut import Progress, ReadReport
from pipeline.lane import Lane
from pipeline.records import Event, Failure, Gap, Mark, Prediction, Span
from pipeline.settle import Settler
from pipeline.testing import ListSink, brightness_lane, loudness_lane
from pipeline.timeline import order

VIDEO, AUDIO = brightness_lane(rate_hz=4), loudness_lane(hop_s=0.25)
LANES: dict[str, Lane] = {lane.name: lane for lane in (VIDEO, AUDIO)}
NOT_SAMPLED = 3


@dataclass(frozen=True)
class Answered:
    """What a lane's predictor said of windows of a quarter of a second."""

    lane: str
    high: list[bool | None]  # None: the window failed

    def answers(self) -> list[Prediction | Failure]:
        return [self._answer(index, high) for index, high in enumerate(self.high)]

    def _answer(self, index: int, high: bool | None) -> Prediction | Failure:
        span = Span(Fraction(index, 4), Fraction(index + 1, 4))
        units = 1 if self.lane == VIDEO.name else 2000
        mark = Mark("a", self.lane, index, span, units)
        if high is None:
            return Failure(mark, "RuntimeError")
        level = 0.9 if high else 0.1
        rows = 1 if self.lane == VIDEO.name else 5
        return Prediction(mark, scores=np.full((rows, 2), [1 - level, level], np.float32))


said = st.lists(st.sampled_from([True, False, None]), max_size=12)


def report(video: Answered, audio: Answered, error: str | None = None) -> ReadReport:
    decoded = {"video": len(video.high) + NOT_SAMPLED, "audio": 2000 * len(audio.high)}
    progress = Progress(Fraction(9), decoded, {VIDEO.name: NOT_SAMPLED, AUDIO.name: 0})
    gap = Gap("audio", Span(Fraction(1), Fraction(2)), "jump")
    return ReadReport(progress, {"video_corrupt_packet": 1}, (gap,), error)


def settled(video: Answered, audio: Answered) -> tuple[list[Event], Settler]:
    sink = ListSink()
    settler = Settler("a", list(LANES.values()), [sink])
    for answered in (video, audio):
        settler.settle(answered.lane, answered.answers())
    settler.finish(report(video, audio))
    return sink.events, settler


@given(said, said, st.data())
def test_any_order_of_answers_gives_the_same_events_and_books(
    video: list[bool | None], audio: list[bool | None], data: st.DataObject
) -> None:
    seen, heard = Answered(VIDEO.name, video), Answered(AUDIO.name, audio)
    expected, plain = settled(seen, heard)
    assert expected == sorted(expected, key=order)
    sink = ListSink()
    settler = Settler("a", list(LANES.values()), [sink])
    answers = [(one.lane, answer) for one in (seen, heard) for answer in one.answers()]
    returned: list[Event] = []
    for lane, answer in data.draw(st.permutations(answers)):
        returned += settler.settle(lane, [answer])
    returned += settler.finish(report(seen, heard))
    assert sink.events == returned == expected
    assert settler.ledger == plain.ledger
    assert settler.ledger.problems() == []
    assert settler.ledger.gaps == [
        {"medium": "audio", "start_s": 1.0, "end_s": 2.0, "reason": "jump"}
    ]
    assert settler.ledger.lanes[VIDEO.name].failed.total() == video.count(None)


@given(said, said, st.data())
def test_after_a_loss_the_books_still_close(
    video: list[bool | None], audio: list[bool | None], data: st.DataObject
) -> None:
    seen, heard = Answered(VIDEO.name, video), Answered(AUDIO.name, audio)
    settler = Settler("a", list(LANES.values()), [])
    arrived = 0
    for answered in (seen, heard):
        for answer in answered.answers():
            if data.draw(st.booleans()):
                arrived += answer.mark.units
                settler.settle(answered.lane, [answer])
    settler.finish(report(seen, heard, "it died"), lost="reader_lost")
    assert settler.ledger.problems() == []
    dropped = sum(book.dropped["reader_lost"] for book in settler.ledger.lanes.values())
    assert dropped == len(video) + 2000 * len(audio) - arrived


def test_without_a_reason_what_is_missing_stays_visible() -> None:
    seen, heard = Answered(VIDEO.name, [True, True]), Answered(AUDIO.name, [])
    settler = Settler("a", list(LANES.values()), [])
    settler.settle(VIDEO.name, seen.answers()[:1])
    settler.finish(report(seen, heard))
    assert settler.ledger.problems() == ["lane brightness: 1 of 5 unaccounted for"]


def test_every_sink_gets_every_event_and_is_closed_or_abandoned() -> None:
    one, other = ListSink(), ListSink()
    settler = Settler("a", [VIDEO], [one, other])
    settler.settle(VIDEO.name, Answered(VIDEO.name, [True, False]).answers())
    settler.finish(report(Answered(VIDEO.name, [True, False]), Answered(AUDIO.name, [])))
    assert [event.label for event in one.events] == ["bright", "dark"]
    assert one.events == other.events
    settler.close()
    assert one.closed and other.closed
    settler.abandon()
    assert one.abandoned and other.abandoned


def test_an_unknown_lane_is_an_error() -> None:
    with pytest.raises(KeyError, match="smell"):
        Settler("a", [VIDEO], []).settle("smell", [])


def test_a_closed_gate_holds_the_other_lanes_up_no_longer() -> None:
    seen, heard = Answered(VIDEO.name, [False, False]), Answered(AUDIO.name, [True] * 8 + [False])
    settler = Settler("a", list(LANES.values()), [])
    settler.settle(VIDEO.name, seen.answers()[:1])
    assert settler.settle(AUDIO.name, heard.answers()) == []
    still = {VIDEO.name: Span(Fraction(1, 4), Fraction(9))}
    offered = {"video": 50, "audio": 18_000}
    on_its_way = Progress(Fraction(9), offered, {VIDEO.name: 10}, {VIDEO.name: 38}, {}, still)
    assert settler.read(on_its_way) == []
    accounted = Progress(Fraction(9), offered, {VIDEO.name: 10}, {VIDEO.name: 39}, {}, still)
    assert [event.span.end for event in settler.read(accounted)] == [2]
    assert settler.read(accounted) == []
    assert settler.ledger.lanes[VIDEO.name].gated == 39
