"""Reads what `witness batch` or `witness run` left, without witness: Parquet, by DuckDB.

python examples/read_results.py results                          # of witness batch
python examples/read_results.py out/demo/street/events.parquet   # of witness run

Prints what was found, then how much of the picture the largest mask covers. pandas and Polars read
the same files: `pandas.read_parquet("results/events")`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
from pycocotools import mask as coco

COUNTS = """
select {source} as source, lane, label, count(distinct track_id) as tracks, count(*) as events
from read_parquet($files, hive_partitioning = {partitioned})
group by all order by all
"""
MASKS = """
select label, start_s, track_id, mask
from read_parquet($files) where mask is not null
"""


def main(place: Path) -> None:
    """Prints both answers."""
    partitioned = place.is_dir()
    files = str(place / "events" / "**" / "*.parquet") if partitioned else str(place)
    source = "source" if partitioned else "stream"
    counts = COUNTS.format(source=source, partitioned=partitioned)
    for row in duckdb.execute(counts, {"files": files}).fetchall():
        print("{:24} {:10} {:14} {:3} tracks, {:4} events".format(*row))
    masks = duckdb.execute(MASKS, {"files": files}).fetchall()
    if masks:
        # A mask is COCO's run lengths: `counts` as text, `size` as [height, width].
        label, start_s, track, largest = max(masks, key=lambda row: int(coco.area(row[3])))
        height, width = largest["size"]
        share = int(coco.area(largest)) / (height * width)
        print(f"largest: {label} {track} at {start_s} s covers {share:.1%} of the picture")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
