from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cut import Progress
from pipeline.ledger import GATED_SPANS_KEPT, LaneBook, Ledger
from pipeline.records import Span

counts = st.integers(0, 1000)
reasons = st.dictionaries(st.sampled_from(["overload", "interrupted"]), counts).map(Counter)


@given(counts, counts, counts, reasons, reasons)
def test_a_book_closes_when_everything_is_told(
    analysed: int, not_sampled: int, gated: int, dropped: Counter[str], failed: Counter[str]
) -> None:
    offered = analysed + not_sampled + gated + dropped.total() + failed.total()
    book = LaneBook("video", offered, analysed, not_sampled, gated, dropped, failed)
    assert book.missing == 0
    ledger = Ledger(decoded=Counter(video=offered), lanes={"action": book})
    assert ledger.problems() == []
    assert ledger.to_json()["closed"]
    assert ledger.to_json()["lanes"]["action"]["unit"] == "frames"


def test_what_is_missing_is_told_in_words() -> None:
    ledger = Ledger(decoded=Counter(audio=10), lanes={"sound": LaneBook("audio", 9, 7)})
    assert ledger.problems() == [
        "lane sound: 2 of 9 unaccounted for",
        "lane sound: offered 9, but 10 of audio were decoded",
    ]
    assert not ledger.to_json()["closed"]


def progress(decoded: int, gated: int, span: Span, **dropped: int) -> Progress:
    return Progress(
        Fraction(decoded, 10),
        {"video": decoded},
        {"action": 3},
        {"action": gated},
        {"action": dropped},
        {"action": span},
    )


def test_a_reader_s_totals_may_be_told_again_and_again() -> None:
    ledger = Ledger(lanes={"action": LaneBook("video"), "sound": LaneBook("audio")})
    grown = Span(Fraction(1), Fraction(4))
    for _ in range(3):
        ledger.read(progress(10, 2, Span(Fraction(1), Fraction(2)), lag=1))
        ledger.read(progress(20, 4, grown, lag=5, lower_rate=2))
    book = ledger.lanes["action"]
    assert ledger.decoded == {"video": 20}
    assert (book.offered, book.not_sampled, book.gated) == (20, 3, 4)
    assert book.dropped == {"lag": 5, "lower_rate": 2}
    book.analysed = 6
    assert ledger.problems() == []
    told = ledger.to_json()["lanes"]["action"]
    assert (told["gated"], told["gated_s"], told["gated_spans"]) == (4, 3.0, [[1.0, 4.0]])
    assert ledger.lanes["sound"].offered == 0


@given(st.permutations([(0, 2), (0, 5), (7, 8), (20, 30), (20, 21)]))
def test_gated_stretches_may_be_told_in_any_order_and_grow(told: list[tuple[int, int]]) -> None:
    book = LaneBook("video")
    for start, end in told:
        book.note_gated(Span(Fraction(start), Fraction(end)))
    assert book.to_json()["gated_spans"] == [[0.0, 5.0], [7.0, 8.0], [20.0, 30.0]]
    assert book.gated_s == 16


def test_so_many_stretches_are_told_and_no_second_of_the_others_is_lost() -> None:
    book = LaneBook("video")
    for number in range(GATED_SPANS_KEPT + 50):
        book.note_gated(Span(Fraction(10 * number), Fraction(10 * number + 3)))
    assert len(book.to_json()["gated_spans"]) == GATED_SPANS_KEPT
    assert book.to_json()["gated_spans"][0] == [500.0, 503.0]
    assert book.gated_s == 3 * (GATED_SPANS_KEPT + 50)


def test_counts_are_the_same_numbers_without_the_stretches() -> None:
    ledger = Ledger(lanes={"instances": LaneBook("video", offered=9, analysed=5, gated=4)})
    ledger.gaps.append({"medium": "video"})
    ledger.lanes["instances"].note_gated(Span(Fraction(0), Fraction(3)))
    counts = ledger.counts()
    assert (counts.lanes["instances"].offered, counts.lanes["instances"].gated) == (9, 4)
    assert (counts.gaps, counts.lanes["instances"].gated_spans) == ([], {})
    assert ledger.lanes["instances"].gated_spans
