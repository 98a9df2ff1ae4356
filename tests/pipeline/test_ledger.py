from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger import LaneBook, Ledger

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
