"""Jobs of fake lanes for the engine tests, and what is compared of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config.schema import Output, PoolConfig, RunConfig
from pipeline.lane import Lane
from pipeline.measure.values import Metrics
from pipeline.run.job import Job, Source, StreamResult
from pipeline.run.local import run_local
from pipeline.testing import ListWatcher, blob_lane, brightness_lane, loudness_lane

FAKES = (brightness_lane(rate_hz=25), blob_lane(), loudness_lane(hop_s=0.1))


def job(
    sources: Mapping[str, Path | str],
    out: Path,
    *,
    lanes: Sequence[Lane] = FAKES,
    outputs: tuple[Output, ...] = ("jsonl",),
    pool: PoolConfig | None = None,
) -> Job:
    named = tuple(Source(name, str(address)) for name, address in sources.items())
    config = RunConfig(outputs=outputs, pool=pool or PoolConfig(threads=1))
    return Job(named, config, out, "cpu", tuple(lanes))


def local(done: Job) -> list[StreamResult]:
    results, interrupted = run_local(done, ListWatcher(), Metrics())
    assert not interrupted
    return results


def rows(result: StreamResult) -> list[dict[str, Any]]:
    """What was written, in its order: scores are already rounded to 4 decimals."""
    lines = (result.out / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def files(out: Path) -> list[str]:
    """Every file below a folder, hidden ones too."""
    found = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
    return sorted(str(path) for path in found)
