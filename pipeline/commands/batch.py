"""`witness batch`: an offline job over many videos, which may be killed and started again."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape

from pipeline.batch.also import FEATURES, Form
from pipeline.batch.answers import told
from pipeline.batch.inputs import find_inputs
from pipeline.batch.job import JOB, BatchJob, Partition, hash_of
from pipeline.batch.result import forget_failed
from pipeline.batch.scanning import choose_for
from pipeline.batch.stores import open_store
from pipeline.batch.tally import Tally
from pipeline.batch.tidy import tidy
from pipeline.batch.todo import Todo
from pipeline.batch.unit import Outcome, Unit
from pipeline.batch_console import BatchConsole, audit_of, clock, progress_of, size_of
from pipeline.commands.monitoring import job_page
from pipeline.commands.request import GOOD, INTERRUPTED, SOURCE_FAILED, USAGE, RunRequest
from pipeline.commands.run import asked_config, planned_config
from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError, LaneError, OutputError
from pipeline.lanes.packet_gate import VectorGateConfig
from pipeline.measure.values import Metrics
from pipeline.media.scan import ScanKind, ScanSettings
from pipeline.run.interrupt import ctrl_c_noted
from pipeline.run.job import choose_device

Told = Callable[[Outcome | None], bool]
Engine = Callable[[Iterator[Unit], Told], None]


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What the command line asked for."""

    videos: tuple[str, ...]
    results: str
    config: Path | None
    engine: str
    device: str
    lanes: str | None
    workers: int
    cpus: float
    partition: Partition
    also: tuple[Form, ...]
    root: str | None
    scan: ScanKind | Literal["auto"]
    audit: float
    segment_s: float
    stall_s: float
    timeout_s: float
    dry_run: bool
    fail_fast: bool
    retry: bool
    metrics_port: int | None
    offline: bool


def batch_command(request: BatchRequest) -> int:
    """The exit code, after everything was run, written and told."""
    console = Console()
    tally = Tally()
    try:
        with ctrl_c_noted() as noted:
            job, asked = _plan(request, console)
            with BatchConsole(console, tally) as shown, Todo(job) as todo:
                if request.retry and not request.dry_run:
                    forget_failed(job.store, job.config_hash)
                todo.find(find_inputs(request.videos, root=request.root), tally, shown.found)
                if request.dry_run:
                    return _tell_plan(console, request, job, tally, todo)
                shown.begins()
                _run(request, job, asked, tally, todo, shown, noted.is_set)
            if noted.is_set():
                console.print("[yellow]interrupted[/]: start it again, and it goes on from here")
                _tell_end(console, request, tally)
                return INTERRUPTED
    except (ConfigError, LaneError) as error:
        return _error(console, error, USAGE)
    except OutputError as error:
        return _error(console, error, SOURCE_FAILED)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted again: stopped at once[/]")
        return INTERRUPTED
    _tell_end(console, request, tally)
    return SOURCE_FAILED if tally.failed or tally.partial or tally.troubled else GOOD


def _plan(request: BatchRequest, console: Console) -> tuple[BatchJob, dict[str, Any]]:
    """The job, and what was asked for; what was measured and chosen once stays for these RESULTS.

    Else a job that goes on elsewhere, or on a busier day, would begin all over again.
    """
    device = choose_device(request.device)
    wanted = asked_config(_run_request(request))
    asked = {
        "config": wanted.model_dump(mode="json", exclude={"metrics"}),
        "device": device,
        "scan": request.scan,
        "audit": request.audit,
    }
    job = BatchJob(
        config=RunConfig(),
        results=open_store(request.results).address,
        config_hash="",
        device=device,
        offline=request.offline,
        partition=request.partition,
        also=request.also,
        segment_s=Fraction(request.segment_s).limit_denominator(1000),
        stall_s=request.stall_s,
        timeout_s=request.timeout_s,
        run=uuid.uuid4().hex,
    )
    kinds = {lane.kind for lane in wanted.lanes}
    if FEATURES in request.also and "action" not in kinds:
        message = "--also features: only a lane of kind `action` has a feature of each frame"
        raise ConfigError(message)
    agreed = _agreed(job, asked)
    if agreed is not None:
        config, scan = RunConfig(**agreed["config"], metrics=wanted.metrics), agreed["scan"]
        job = replace(job, config=config, scan=ScanSettings(**scan) if scan else None)
    else:
        tell = partial(console.print, soft_wrap=True, highlight=False, markup=False)
        with tempfile.TemporaryDirectory(prefix="witness-") as folder:
            measured = replace(_run_request(request), out=Path(folder))
            job = replace(job, config=gated(planned_config(measured, device, tell), request.scan))
        job = replace(job, scan=_scan(request, job, tell))
    return replace(job, config_hash=hash_of(job)), asked


def _agreed(job: BatchJob, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What RESULTS says of an earlier run that was asked for the same; None if it was not."""
    store = job.store
    if not store.exists(JOB):
        return None
    try:
        known: dict[str, Any] = json.loads(store.read(JOB))
        return known if known["asked"] == asked else None
    except (ValueError, LookupError, TypeError) as error:
        message = (
            f"{store.location()}: {JOB} is damaged; remove it, and start again: what is finished "
            "is known without it"
        )
        raise ConfigError(message) from error


def gated(config: RunConfig, scan: str) -> RunConfig:
    """With a scan by `vectors`, its gate for each lane of pictures that has none."""
    if scan != "vectors":
        return config
    gated = [
        lane.model_copy(update={"gate": VectorGateConfig()})
        if "gate" in type(lane).model_fields and getattr(lane, "gate", None) is None
        else lane
        for lane in config.lanes
    ]
    return config.model_copy(update={"lanes": tuple(gated)})


def _scan(request: BatchRequest, job: BatchJob, tell: Callable[[str], None]) -> ScanSettings | None:
    kind = request.scan
    if kind == "auto":
        choice = choose_for(job, find_inputs(request.videos, root=request.root))
        tell(f"scan: {choice.kind} ({choice.why})")
        kind = choice.kind
    return None if kind == "off" else ScanSettings(kind, audit=request.audit)


def _run_request(request: BatchRequest) -> RunRequest:
    return RunRequest(
        addresses=request.videos,
        config=request.config,
        out=Path(),
        engine=request.engine,
        device=request.device,
        lanes=request.lanes,
        metrics_port=-1,
        offline=request.offline,
    )


def _run(
    request: BatchRequest,
    job: BatchJob,
    asked: dict[str, Any],
    tally: Tally,
    todo: Todo,
    shown: BatchConsole,
    enough: Callable[[], bool],
) -> None:
    store, metrics = job.store, Metrics()
    metrics.runs(request.engine, job.lanes())
    tidy(store, job.config_hash)
    store.write(JOB, told(job.told(asked)))
    if not tally.todo:
        shown.console.print("nothing is left to do")
        return

    def hear(outcome: Outcome | None) -> bool:
        shown.tell(outcome)
        metrics.batch(tally)
        bad = outcome is not None and outcome.state in {"partial", "failed"}
        return not enough() and not (bad and request.fail_fast)

    out = None if "://" in request.results else Path(request.results)
    try:
        tell = partial(shown.console.print, soft_wrap=True, highlight=False, markup=False)
        page = job_page(metrics, request.metrics_port, job.config.metrics, out, tell)
        with page, _engine(request, job, tally) as run:
            run(todo.units(), hear)
    finally:
        tidy(store, job.config_hash)  # after workers that died on the way


@contextmanager
def _engine(request: BatchRequest, job: BatchJob, tally: Tally) -> Iterator[Engine]:
    workers = request.workers or os.cpu_count() or 1
    workers = min(workers, max(1, 2 * tally.todo)) if request.workers == 0 else workers
    if request.engine == "local":
        from pipeline.run.local_batch import LocalBatch
        from pipeline.run.local_crew import LocalCrew

        with LocalCrew() as crew:
            yield LocalBatch(job, crew, workers, tally).run
        return
    from pipeline.run.ray_batch import RayBatch

    with RayBatch(job, workers, request.cpus, tally) as batch:
        yield batch.run


def _tell_plan(
    console: Console, request: BatchRequest, job: BatchJob, tally: Tally, todo: Todo
) -> int:
    from pipeline.batch.estimate import measure

    say = partial(console.print, highlight=False, soft_wrap=True)
    say(f"{tally.found:,} videos, {tally.before:,} of them done before with this config")
    say(f"{tally.todo:,} to do, {size_of(tally.todo_bytes)}; results go to {request.results}")
    for number, unit in enumerate(todo.units()):
        if number == 20:
            say(f"  ... and {tally.todo - number:,} more")
            break
        why = "changed since it was done" if unit.replaces else unit.video.trouble
        size = size_of(unit.video.size_bytes)
        say(", ".join(filter(None, [f"  {escape(unit.video.source)}  {size}", escape(why)])))
    if not tally.todo:
        return GOOD
    sample = measure(job, todo.units())
    workers = request.workers or os.cpu_count() or 1
    say(
        f"sample: {sample.media_s:.1f} s of {sample.videos} videos in {sample.seconds:.1f} s, "
        f"{sample.speed:.1f} x real time with one worker"
    )
    left = sample.of(tally.todo_bytes, workers)
    if left is None:
        say("no estimate: the videos do not say how long they are")
    else:
        say(f"about {clock(left)} with {workers} workers, if each gets a processor of its own")
    return GOOD


def _tell_end(console: Console, request: BatchRequest, tally: Tally) -> None:
    say = partial(console.print, highlight=False, soft_wrap=True)
    if tally.finished:
        say(progress_of(tally) + f", in {clock(tally.wall_s)}")
        say(f"{tally.events:,} events")
    say(f"what was found: witness query {request.results}")
    if told := audit_of(tally):
        say(told)
    if tally.failed or tally.partial or tally.troubled:
        say(f'what failed: witness query {request.results} "select * from failures"')


def _error(console: Console, error: Exception, code: int) -> int:
    console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True, highlight=False)
    return code
