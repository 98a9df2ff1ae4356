"""What the networks said of one part of a video, in a file: read again when the parts are joined.

Arrow, not pickle: whoever may write to a bucket may not run code here. Times stay exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.records import Failure, Feature, InstanceMask, Mark, Prediction, Rle, Span
from pipeline.whole import WholeFile

ROWS_AT_ONCE = 512

Known = Feature | Prediction | Failure

_INSTANCE = pa.struct(
    [
        ("label", pa.string()),
        ("score", pa.float64()),
        ("box", pa.list_(pa.float64())),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("counts", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("lane", pa.string()),
        ("start", pa.string()),
        ("end", pa.string()),
        ("units", pa.int64()),
        ("size", pa.list_(pa.int32())),
        ("fresh", pa.bool_()),
        ("failure", pa.string()),
        ("feature", pa.list_(pa.float32())),
        ("scores", pa.list_(pa.float32())),
        ("rows", pa.int32()),
        ("instances", pa.list_(_INSTANCE)),
    ]
)


class AnswerWriter:
    """Writes answers to a binary file, in groups of bounded size."""

    def __init__(self, file: WholeFile) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_file(file, SCHEMA, options=options)
        self._rows: list[dict[str, Any]] = []

    def write(self, known: Known) -> None:
        """Adds one."""
        self._rows.append(_row(known))
        if len(self._rows) == ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """The rest, and the footer; the file itself stays open."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, schema=SCHEMA))
            self._rows = []


def read_answers(data: bytes, stream: str) -> Iterator[Known]:
    """What was written, in the same order. Windows are numbered anew by who joins the parts."""
    with pa.ipc.open_file(pa.BufferReader(data)) as file:
        for number in range(file.num_record_batches):
            for row in file.get_batch(number).to_pylist():
                yield _known(row, stream)


def _row(known: Known) -> dict[str, Any]:
    mark = known.mark
    row: dict[str, Any] = {
        "lane": mark.lane,
        "start": str(mark.span.start),
        "end": str(mark.span.end),
        "units": mark.units,
        "size": list(mark.size) if mark.size else None,
        "fresh": mark.fresh,
    }
    if isinstance(known, Failure):
        return {**row, "failure": known.reason}
    if isinstance(known, Feature):
        return {**row, "feature": known.values}
    if known.scores is not None:
        row |= {"scores": known.scores.ravel(), "rows": len(known.scores)}
    row["instances"] = [
        {
            "label": thing.label,
            "score": thing.score,
            "box": list(thing.box),
            "height": thing.rle.height,
            "width": thing.rle.width,
            "counts": thing.rle.counts,
        }
        for thing in known.instances
    ]
    return row


def _known(row: dict[str, Any], stream: str) -> Known:
    span = Span(Fraction(row["start"]), Fraction(row["end"]))
    size = tuple(row["size"]) if row["size"] else None
    mark = Mark(stream, row["lane"], 0, span, row["units"], size, row["fresh"])
    if row["failure"] is not None:
        return Failure(mark, row["failure"])
    if row["feature"] is not None:
        return Feature(mark, np.array(row["feature"], np.float32))
    scores = None
    if row["scores"] is not None:
        scores = np.array(row["scores"], np.float32).reshape(row["rows"], -1)
    things = tuple(
        InstanceMask(
            thing["label"],
            thing["score"],
            tuple(thing["box"]),
            Rle(thing["height"], thing["width"], thing["counts"]),
        )
        for thing in row["instances"] or ()
    )
    return Prediction(mark, scores, things)


def told(known: dict[str, Any]) -> bytes:
    """A small record as JSON, the same bytes for the same content."""
    return (json.dumps(known, indent=1, sort_keys=True) + "\n").encode()
