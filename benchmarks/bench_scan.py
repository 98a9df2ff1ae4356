"""What a scan by packet sizes saves, and what it loses: street films, the shipped networks.

    python benchmarks/bench_scan.py [--pairs 3] [--minutes 20] [--films FOLDER]

Films of which 14 % and 2 % of the groups of pictures (2 s each) show somebody; see street_film.py.
Both sides are read by one Reader, a few batches ahead, answered by `instances` at 5 Hz and `action`
at its rate with one thread, and settled, as a worker of `witness batch` does it: decode-everything
on 80 seconds of the same kind, the scan on all of it, in alternating pairs. The figure is media
seconds per second of wall time, and the same per second of CPU time, which a busy machine disturbs
less. Recall is the share of groups with somebody that were decoded whole. Prints a table, writes
bench_scan.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import torch
from street_film import RATE, Codec, make_film, make_pool

from benchmarks.frame_cnns import cpu_name
from pipeline.batch.work import BATCHES_AHEAD
from pipeline.cut import Reader
from pipeline.lane import Lane
from pipeline.lanes.action import ActionLane
from pipeline.lanes.instances import InstancesLane
from pipeline.media.gops import GopRow
from pipeline.media.scan import ScanSettings
from pipeline.predict import PoolMember
from pipeline.run.ahead import Ahead
from pipeline.settle import Settler

HERE = Path(__file__).parent
SHARES = (0.14, 0.02)
PLAIN_GOPS = 40


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a film: what it took and what it found."""

    media_s: float
    wall_s: float
    cpu_s: float
    instances: int
    rows: tuple[GopRow, ...]

    @property
    def speed(self) -> float:
        """Media seconds per second."""
        return self.media_s / self.wall_s

    @property
    def cpu_speed(self) -> float:
        """Media seconds per second of CPU time."""
        return self.media_s / self.cpu_s


@dataclass(frozen=True, slots=True)
class Row:
    """What the table tells of one film."""

    active: float
    gops: int
    decoded: float
    recall: float
    plain: float
    scanned: float
    ratio: float
    cpu_ratio: float
    reasons: dict[str, int]


def run(film: Path, lanes: Sequence[Lane], pool: PoolMember, scan: ScanSettings | None) -> Pass:
    """Reads, answers and settles a film once."""
    began, cpu = time.perf_counter(), time.process_time()
    settler = Settler("film", lanes, ())
    instances = 0
    with closing(Reader(str(film), "film", lanes, scan=scan)) as reader:
        with Ahead(reader.cuts(), BATCHES_AHEAD) as cuts:
            for cut in cuts:
                settler.read(cut.progress)
                events = settler.settle(cut.lane, pool.predict(cut.lane, cut.windows).answers)
                instances += sum(event.instance is not None for event in events)
        report = reader.report()
    settler.finish(report)
    pool.forget("film")
    assert not settler.ledger.problems(), settler.ledger.problems()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return Pass(float(report.progress.position), wall_s, cpu_s, instances, report.scan)


def decoded_gops(rows: Sequence[GopRow], gop_s: float, count: int) -> list[bool]:
    """Which groups of a film were decoded whole."""
    out = [False] * count
    for row in rows:
        first = round(float(row.span.start) / gop_s)
        for number in range(first, min(count, first + row.gops)):
            out[number] = row.fate == "all"
    return out


def measured(
    folder: Path, pool_film: Path, codec: Codec, share: float, gops: int, pairs: int
) -> Row:
    """The row of one share."""
    film, piece = folder / f"film_{share}.mp4", folder / f"piece_{share}.mp4"
    shown = make_film(film, pool_film, codec, gops, share)
    make_film(piece, pool_film, codec, PLAIN_GOPS, share)
    lanes = (
        InstancesLane(kind="instances").build("cpu"),
        ActionLane(kind="action").build("cpu"),
    )
    pool = PoolMember(lanes, threads=1)
    run(piece, lanes, pool, ScanSettings())  # warm
    plain, scanned = [], []
    for _ in range(pairs):
        plain.append(run(piece, lanes, pool, None))
        scanned.append(run(film, lanes, pool, ScanSettings()))
        print(f"  {plain[-1].speed:.2f} {scanned[-1].speed:.2f}", flush=True)
    decoded = decoded_gops(scanned[0].rows, codec.gop / RATE, gops)
    reasons: Counter[str] = Counter()
    for row in scanned[0].rows:
        reasons[f"{row.reason} ({row.fate})"] += row.gops
    found = sum(one and other for one, other in zip(shown, decoded, strict=True))
    each = list(zip(scanned, plain, strict=True))
    return Row(
        active=sum(shown) / gops,
        gops=gops,
        decoded=sum(row.decoded for row in scanned[0].rows) / (gops * codec.gop),
        recall=found / sum(shown),
        plain=statistics.median(one.speed for one in plain),
        scanned=statistics.median(one.speed for one in scanned),
        ratio=statistics.median(one.speed / other.speed for one, other in each),
        cpu_ratio=statistics.median(one.cpu_speed / other.cpu_speed for one, other in each),
        reasons=dict(reasons),
    )


def main() -> None:
    """Measures every share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--films", type=Path, help="keeps the films here, and uses what is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    codec, rows = Codec(), []
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.films or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        pool = folder / "pool.mp4"
        if not Path(f"{pool}.json").exists():
            make_pool(pool, codec)
        gops = round(options.minutes * 60 * RATE / codec.gop)
        for share in SHARES:
            rows.append(measured(folder, pool, codec, share, gops, options.pairs))
            print(rows[-1], flush=True)
    report = {"cpu": cpu_name(), "codec": asdict(codec), "films": [asdict(row) for row in rows]}
    (HERE / "bench_scan.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
