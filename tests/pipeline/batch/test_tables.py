from __future__ import annotations

import io
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.batch.stores import open_store
from pipeline.batch.tables import (
    EVENTS_SCHEMA,
    FAILURES_SCHEMA,
    LEDGER_SCHEMA,
    EventsSink,
    FailureRow,
    failures_bytes,
    ledger_bytes,
)
from pipeline.ledger import LaneBook, Ledger
from pipeline.records import Event, Span
from pipeline.sinks.rows import ROWS_METADATA, event_from


def ledger(*, turned: bool = False) -> Ledger:
    """The books of a source; `turned` has its counts noted in another order."""
    dropped = {"stalled": 2, "interrupt": 1}
    if turned:
        dropped = dict(reversed(dropped.items()))
    seen = LaneBook("video", 100, 20, 70, 7, Counter(dropped))
    gap = {"medium": "video", "start_s": 1.0, "end_s": 2.5, "reason": "pts"}
    return Ledger(
        decoded=Counter(video=100, audio=16_000),
        troubles=Counter(video_corrupt_packet=3, audio_doubted_pts=1, container_corrupt_packet=1),
        gaps=[gap],
        lanes={"people": seen},
    )


def test_a_row_a_lane_and_one_for_a_medium_without(tmp_path: Path) -> None:
    table = pq.read_table(io.BytesIO(ledger_bytes("yard.mp4", ledger(), 4.0000001)))
    assert table.schema.equals(LEDGER_SCHEMA)
    people, sound = table.to_pylist(maps_as_pydicts="strict")
    assert people == {
        "source": "yard.mp4",
        "medium": "video",
        "lane": "people",
        "unit": "frames",
        "decoded": 100,
        "offered": 100,
        "analysed": 20,
        "not_sampled": 70,
        "gated": 7,
        "dropped": {"interrupt": 1, "stalled": 2},
        "failed": {},
        "gated_s": 0.0,
        "media_s": 4.0,
        "troubles": {"container_corrupt_packet": 1, "video_corrupt_packet": 3},
        "gaps": [{"start_s": 1.0, "end_s": 2.5, "reason": "pts"}],
    }
    assert (sound["medium"], sound["lane"], sound["decoded"]) == ("audio", None, 16_000)
    assert sound["troubles"] == {"audio_doubted_pts": 1, "container_corrupt_packet": 1}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    assert ledger_bytes("a", ledger(), 4.0) == ledger_bytes("a", ledger(turned=True), 4.0)
    row = FailureRow("a", "unreadable", "no frame", position_s=1.5, partial=True)
    assert failures_bytes([row]) == failures_bytes([row])
    assert events(tmp_path / "one") == events(tmp_path / "two")


def test_failures_are_kept_in_order() -> None:
    rows = [
        FailureRow("b", "lost", "broke off", segment=3, position_s=12.5, partial=True),
        FailureRow("a", "missing", "nothing is there"),
    ]
    table = pq.read_table(io.BytesIO(failures_bytes(rows)))
    assert table.schema.equals(FAILURES_SCHEMA)
    assert table.schema.metadata == {k.encode(): v.encode() for k, v in ROWS_METADATA.items()}
    assert [row["source"] for row in table.to_pylist()] == ["b", "a"]
    assert table["segment"].to_pylist() == [3, None]
    assert table["partial"].to_pylist() == [True, False]


def test_events_go_through_a_store_and_come_back_exact(tmp_path: Path) -> None:
    events(tmp_path)
    table = pq.read_table(tmp_path / "events/source=a/K.parquet", partitioning=None)
    assert table.schema.remove_metadata().equals(EVENTS_SCHEMA)
    assert [event_from(row).span for row in table.to_pylist()] == [
        Span(Fraction(number, 3), Fraction(number + 1, 3)) for number in range(1500)
    ]
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["K.parquet"]


def events(folder: Path) -> bytes:
    """The file of 1,500 events of the source `a`, written in the folder."""
    store = open_store(str(folder))
    with store.whole("events/source=a/K.parquet") as file:
        sink = EventsSink(file, {"source": "a"})
        for number in range(1500):
            span = Span(Fraction(number, 3), Fraction(number + 1, 3))
            sink.write(Event("a", "sound", span, "speech", 0.5, "small", "0" * 64))
        sink.close()
    return store.read("events/source=a/K.parquet")
