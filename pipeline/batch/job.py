"""What an offline job is told, and the hash of all that its results depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pipeline.batch.also import Form
from pipeline.batch.store import Store
from pipeline.batch.stores import open_store
from pipeline.config.schema import RunConfig
from pipeline.lane import Lane
from pipeline.media.scan import ScanSettings
from pipeline.run.job import Job, build_lanes
from pipeline.run.job import config_hash as run_hash

Partition = Literal["source", "day"]
JOB = "job.json"


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One call of `witness batch`, as it travels to the workers.

    `results` is where the store lies; `also` names what is written beside the tables. With a `scan`
    not all pictures are decoded; without one the pictures of a video longer than `segment_s` are
    cut into stretches of that length. A unit that brings nothing for `stall_s` is given up with its
    process, and one that takes longer than `timeout_s` ends with what it has. `run` differs each
    time a job is started: how often a unit took its worker with it is counted within one run.
    """

    config: RunConfig
    results: str
    config_hash: str
    device: str = "cpu"
    offline: bool = True
    partition: Partition = "source"
    also: tuple[Form, ...] = ()
    scan: ScanSettings | None = None
    segment_s: Fraction = Fraction(300)
    stall_s: float = 60.0
    timeout_s: float = 6 * 3600.0
    threads: int = 1
    run: str = ""

    @property
    def store(self) -> Store:
        """Where its results are kept."""
        return open_store(self.results)

    def lanes(self) -> tuple[Lane, ...]:
        """Its lanes; LaneError when weights are missing or do not fit."""
        return build_lanes(self.config, self.device, offline=self.offline)

    def told(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What RESULTS says of it, and what was `asked` for; the same for the same job."""
        return {
            "asked": asked,
            "config_hash": self.config_hash,
            "config": self.config.model_dump(mode="json", exclude={"metrics"}),
            "device": self.device,
            "partition": self.partition,
            "also": list(self.also),
            "scan": None if self.scan is None else asdict(self.scan),
            "models": {lane.name: lane.card.sha256 for lane in self.lanes()},
        }


def hash_of(job: BatchJob) -> str:
    """12 hex digits: config, weights, versions, device and CPU type, scan, how results are laid."""
    told = run_hash(Job((), job.config, Path(), job.device, job.lanes()))
    scan = None if job.scan is None else asdict(job.scan)
    what = json.dumps([told, scan, job.also, job.partition, version("pyarrow")])
    return hashlib.sha256(what.encode()).hexdigest()[:12]
