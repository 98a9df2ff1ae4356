import json
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.records import Event, InstanceMask, Rle, Span
from pipeline.sinks import parquet
from pipeline.sinks.parquet import SCHEMA, ParquetSink
from pipeline.sinks.rows import ROWS_VERSION, event_from
from pipeline.whole import WholeFile, WholeSet


def sound(number: int) -> Event:
    span = Span(Fraction(number, 7), Fraction(number + 1, 7))
    return Event("yard", "sound", span, "bark", 0.5, "m", "0")


def person() -> Event:
    mask = InstanceMask("person", 0.75, (1.0, 2.0, 3.5, 4.0), Rle(5, 6, "0123"), 4)
    return Event(
        "yard", "instances", Span(Fraction(0), Fraction(1)), "person", 0.75, "m", "0", mask
    )


def test_events_come_back_with_their_masks(tmp_path: Path) -> None:
    path, outputs = tmp_path / "events.parquet", WholeSet(tmp_path)
    sink = ParquetSink(outputs.file("events.parquet"), {"stream": "yard"})
    sink.write(person())
    sink.write(sound(1))
    sink.close()
    assert not path.exists()
    outputs.finish()
    table = pq.read_table(path)
    assert [event_from(row) for row in table.to_pylist()] == [person(), sound(1)]
    assert table.schema.equals(SCHEMA)
    assert json.loads(table.schema.metadata[b"witness"]) == {"stream": "yard"}
    assert int(table.schema.metadata[b"witness_rows_version"]) == ROWS_VERSION


def test_rows_in_memory_are_bounded(tmp_path: Path) -> None:
    path, outputs = tmp_path / "events.parquet", WholeSet(tmp_path)
    sink = ParquetSink(outputs.file("events.parquet"))
    for number in range(2 * parquet.ROWS_IN_MEMORY + 1):
        sink.write(sound(number))
    sink.close()
    outputs.finish()
    groups = pq.ParquetFile(path)
    assert groups.num_row_groups == 3
    assert groups.metadata.num_rows == 2 * parquet.ROWS_IN_MEMORY + 1


def test_a_stream_without_events_still_gives_a_table(tmp_path: Path) -> None:
    outputs = WholeSet(tmp_path)
    ParquetSink(outputs.file("events.parquet")).close()
    outputs.finish()
    assert pq.read_table(tmp_path / "events.parquet").num_rows == 0


def test_an_abandoned_file_leaves_nothing(tmp_path: Path) -> None:
    sink = ParquetSink(WholeFile(tmp_path / "events.parquet"))
    for number in range(parquet.ROWS_IN_MEMORY + 1):
        sink.write(sound(number))
    sink.abandon()
    del sink
    assert list(tmp_path.iterdir()) == []
