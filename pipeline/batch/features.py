"""The features of frames as Parquet, one file a lane: to train on, search, or cluster them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import Failure, Feature, Prediction
from pipeline.sinks.rows import ROWS_METADATA
from pipeline.whole import WholeFile

FEATURES_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("lane", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("start", pa.string()),
        ("end", pa.string()),
        ("feature", pa.list_(pa.float32())),
    ],
    ROWS_METADATA,
)
ROWS_IN_MEMORY = 512


class FeatureTables:
    """Writes what frame CNNs saw in the windows of one video, in their order.

    `opened` gives the file of a lane, which appears when its owner says so. A video that is cut
    into stretches brings the same rows in the same order as one pass, so also the same bytes.
    """

    def __init__(self, source: str, opened: Callable[[str], WholeFile]) -> None:
        self._source = source
        self._opened = opened
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def take(self, seen: Iterable[Feature | Prediction | Failure]) -> None:
        """Adds the features among what was seen."""
        for known in seen:
            if isinstance(known, Feature):
                self._add(known)

    def close(self) -> None:
        """The rest, and the footers; the files themselves stay open."""
        for lane, writer in self._writers.items():
            self._flush(lane)
            writer.close()

    def _add(self, feature: Feature) -> None:
        mark = feature.mark
        lane, span = mark.lane, mark.span
        if lane not in self._writers:
            file = self._opened(lane)
            self._writers[lane] = pq.ParquetWriter(file, FEATURES_SCHEMA, compression="zstd")
        rows = self._rows.setdefault(lane, [])
        rows.append(
            {
                "source": self._source,
                "lane": lane,
                "start_s": round(float(span.start), 6),
                "end_s": round(float(span.end), 6),
                "start": str(span.start),
                "end": str(span.end),
                "feature": feature.values,
            }
        )
        if len(rows) == ROWS_IN_MEMORY:
            self._flush(lane)

    def _flush(self, lane: str) -> None:
        rows, self._rows[lane] = self._rows[lane], []
        if rows:
            self._writers[lane].write_table(pa.Table.from_pylist(rows, schema=FEATURES_SCHEMA))
