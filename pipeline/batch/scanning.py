"""Which scan a job is run with, when it was left to us: from the first video that can be opened."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from pipeline.batch.inputs import Input
from pipeline.batch.job import BatchJob
from pipeline.errors import SourceError
from pipeline.media.scan_choice import ScanChoice, choose_scan, probe_gops

LOOKED_AT = 10


def choose_for(job: BatchJob, videos: Iterable[Input]) -> ScanChoice:
    """The scan that suits the job's lanes and the first of its videos, and why."""
    rates = []
    for config, lane in zip(job.config.lanes, job.lanes(), strict=True):
        if lane.medium == "video":
            rate = getattr(config, "rate_hz", None) or lane.card.preprocessing["rate_hz"]
            rates.append(float(rate))
    for video in islice(videos, LOOKED_AT):
        try:
            return choose_scan(probe_gops(video.address), rates)
        except SourceError:
            continue
    return ScanChoice("off", "none of the first videos can be opened")
