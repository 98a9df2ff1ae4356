"""What is to be run and what came of it: shared by every engine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from models.card import CheckpointError
from pipeline.config.base import settled
from pipeline.config.schema import Output, RunConfig
from pipeline.errors import ConfigError, LaneError, SourceError
from pipeline.lane import Lane
from pipeline.records import Digest, StreamInfo
from pipeline.run.runtimes import runtime_versions

FILES: dict[Output, str] = {
    "jsonl": "events.jsonl",
    "parquet": "events.parquet",
    "overlay": "annotated.mp4",
    "report": "report.html",
}
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Source:
    """An address to read and the name that its stream has in every output."""

    stream: str
    address: str


@dataclass(frozen=True, slots=True)
class Job:
    """One call of `witness run`: sources, config, the device, and where results go."""

    sources: tuple[Source, ...]
    config: RunConfig
    out: Path
    device: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What came of one source; `error` is None when it was read to its end."""

    source: Source
    out: Path
    info: StreamInfo | None
    summary: dict[str, Any] | None
    error: str | None


class Watcher(Protocol):
    """Whoever wants to know how a job goes: the console, a test."""

    def opened(self, info: StreamInfo, idle: Sequence[str]) -> None:
        """A source is open; lanes in `idle` find no medium in it."""

    def reached(self, stream: str, position: Fraction) -> None:
        """The decoder of a stream has come this far."""

    def found(self, digests: Sequence[Digest]) -> None:
        """Events were written."""

    def closed(self, result: StreamResult) -> None:
        """A source is done, well or badly."""


def name_sources(
    addresses: Sequence[str], names: Sequence[str] | None = None
) -> tuple[Source, ...]:
    """One stream name a source, by default from its file name; doubles get a number: yard-2."""
    taken: set[str] = set()
    out = []
    for base, address in zip(names or map(_name, addresses), addresses, strict=True):
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        out.append(Source(name, address))
    return tuple(out)


def _name(address: str) -> str:
    from pipeline.media.probe import stream_name

    try:
        return stream_name(address)
    except SourceError:  # told when it is opened, so that it harms no other source
        return "stream"


def build_lanes(config: RunConfig, device: str, *, offline: bool) -> tuple[Lane, ...]:
    """The lanes of a config; LaneError when weights are missing or do not fit."""
    try:
        return tuple(lane.build(device, offline=offline) for lane in config.lanes)
    except CheckpointError as error:
        raise LaneError(str(error)) from error


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda`; ConfigError when cuda is asked for and there is none.

    Of a cluster that is joined it is taken on trust: the machine of the command may have none.
    """
    if wanted == "cpu" or (wanted == "cuda" and os.environ.get("RAY_ADDRESS")):
        return wanted
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        message = "--device cuda: torch sees no CUDA device here; use --device auto or cpu"
        raise ConfigError(message)
    return "cpu"


def config_hash(job: Job) -> str:
    """What a result depends on, as 12 hex digits: config, weights, versions, device, CPU type."""
    what = {
        "lanes": [lane.model_dump(mode="json") for lane in job.config.lanes],
        "weights": {lane.name: lane.card.sha256 for lane in job.lanes},
        "versions": versions(),
        "device": job.device,
        "machine": platform.machine(),
        "runtimes": runtime_versions(job.config),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


@cache
def versions() -> dict[str, str]:
    """The versions that can change a result; looked up once."""
    names = ("witness-av", "torch", "torchvision", "av", "trackers", "numpy")
    return {name: version(name) for name in names}


def about_run(job: Job, engine: str, wall_s: float, *, interrupted: bool) -> dict[str, object]:
    """What a summary says of the run itself, the same for every engine."""
    return {
        "engine": engine,
        "device": job.device,
        "config_hash": config_hash(job),
        "wall_s": round(wall_s, 3),
        "interrupted": interrupted,
        "runtimes": {
            lane.name: f"{settled(lane.runtime)} {lane.precision}" for lane in job.config.lanes
        },
        "versions": {**versions(), **runtime_versions(job.config)},
    }
