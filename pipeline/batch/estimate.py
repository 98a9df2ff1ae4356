"""How long a job will take, from a sample that is really run."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pipeline.batch.job import BatchJob
from pipeline.batch.unit import Unit
from pipeline.cut import Reader
from pipeline.errors import SourceError
from pipeline.predict import PoolMember
from pipeline.settle import Settler

VIDEOS = 3
EACH_S = 6.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one worker went through in the sample: seconds, seconds of media time, and bytes.

    `size_bytes` is the share of the videos' sizes that their sampled part stands for; 0 when
    their lengths are not known.
    """

    videos: int
    seconds: float
    media_s: float
    size_bytes: float

    @property
    def speed(self) -> float:
        """Seconds of media time for each second of one worker."""
        return self.media_s / self.seconds if self.seconds else 0.0

    def of(self, size_bytes: int, workers: int) -> float | None:
        """Seconds that so many bytes will take; None when the sample cannot tell."""
        if not self.size_bytes:
            return None
        return size_bytes / self.size_bytes * self.seconds / workers


def measure(job: BatchJob, units: Iterable[Unit]) -> Estimate:
    """Runs the beginning of the first few videos that can be opened, and writes nothing."""
    lanes = job.lanes()
    member = PoolMember(lanes, job.threads)
    count, seconds, media_s, size = 0, 0.0, Fraction(0), 0.0
    for unit in units:
        if count == VIDEOS:
            break
        try:
            reader = Reader(unit.video.address, unit.video.source, lanes)
        except SourceError:
            continue
        count += 1
        settler = Settler(unit.video.source, reader.lanes, [])
        position, started = Fraction(0), time.perf_counter()
        for cut in reader.cuts():
            settler.settle(cut.lane, member.predict(cut.lane, cut.windows).answers)
            position = cut.progress.position
            if time.perf_counter() - started > EACH_S:
                break
        seconds += time.perf_counter() - started
        media_s += position
        length = reader.info.duration_from_header
        if length:
            size += unit.video.size_bytes * min(1.0, float(position / length))
        reader.close()
        member.forget(unit.video.source)
    return Estimate(count, seconds, float(media_s), size)
