"""`witness run` and `witness demo`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline.commands.monitoring import job_page
from pipeline.commands.request import (
    GOOD,
    INTERRUPTED,
    SOURCE_FAILED,
    USAGE,
    RunRequest,
    example,
)
from pipeline.config.schema import RunConfig
from pipeline.console import ConsoleWatcher, print_summary
from pipeline.errors import ConfigError, LaneError, WitnessError
from pipeline.measure.values import Metrics
from pipeline.run.job import Job, StreamResult, build_lanes, choose_device, name_sources
from pipeline.run.pictures import OnProgress, draw, score_truth
from pipeline.run.runtimes import check_runtimes, settle_runtimes


def run_command(request: RunRequest) -> int:
    """The exit code, after everything was run, written and told."""
    from pipeline.config.load import is_fleet

    if any(is_fleet(address) for address in request.addresses):
        return _run_fleet(request)
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: results are kept
    try:
        tell = partial(console.print, soft_wrap=True, highlight=False, markup=False)
        job = plan(request, tell)
        metrics = Metrics()
        page = job_page(metrics, request.metrics_port, job.config.metrics, request.out, tell)
        with page, ConsoleWatcher(console) as watcher:
            results, interrupted = run_engine(request.engine, job, watcher, metrics)
            results = _draw(results, job, request, watcher)
    except (ConfigError, LaneError) as error:
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return USAGE
    except KeyboardInterrupt:
        console.print("[yellow]interrupted again: stopped at once[/]")
        return INTERRUPTED
    print_summary(console, results)
    if request.truth and not interrupted:
        _tell_truth(console, results, request.truth)
    if interrupted:
        console.print("[yellow]interrupted[/]: what was read until then is kept")
        return INTERRUPTED
    return SOURCE_FAILED if any(result.error for result in results) else GOOD


def _run_fleet(request: RunRequest) -> int:
    from pipeline.commands.fleet import fleet_command

    if len(request.addresses) > 1 or request.config is not None:
        told = "a file of streams is run alone; it has the config in it"
        Console().print(f"[red]error[/] {told}")
        return USAGE
    return fleet_command(request)


def demo_command(out: Path, engine: str, device: str, metrics_port: int | None) -> int:
    """The exit code of the main job on the clip that ships."""
    clip, truth = example("street.mp4"), example("street.truth.json")
    return run_command(
        RunRequest(
            addresses=(str(clip),),
            config=None,
            out=out,
            engine=engine,
            device=device,
            lanes=None,
            metrics_port=metrics_port,
            offline=True,
            names=("demo",),
            truth=truth,
        )
    )


def plan(request: RunRequest, tell: Callable[[str], None]) -> Job:
    """The job of a request; ConfigError or LaneError when it cannot be one.

    `tell` hears which runtimes a measurement chose, where the config leaves it open.
    """
    device = choose_device(request.device)
    config = planned_config(request, device, tell)
    sources = name_sources(request.addresses, request.names)
    lanes = build_lanes(config, device, offline=request.offline)
    return Job(sources, config, request.out, device, lanes)


def planned_config(request: RunRequest, device: str, tell: Callable[[str], None]) -> RunConfig:
    """The config that is asked for, with a runtime for each lane that this machine has."""
    config = asked_config(request)
    check_runtimes(config, device)
    if any(lane.runtime == "auto" for lane in config.lanes):
        config = settle_runtimes(config, device, request.out, example("street.mp4"), tell)
    return config


def run_engine(
    engine: str, job: Job, watcher: ConsoleWatcher, metrics: Metrics
) -> tuple[list[StreamResult], bool]:
    """One result a source, and whether Ctrl-C ended the job early."""
    if engine == "local":
        from pipeline.run.local import run_local

        return run_local(job, watcher, metrics)
    from pipeline.run.ray_files import run_ray

    return run_ray(job, watcher, metrics)


def asked_config(request: RunRequest) -> RunConfig:
    """The config of a request as it is written, less the lanes that are not wanted."""
    config = RunConfig()
    if request.config is not None:
        from pipeline.config.load import load_config

        config = load_config(request.config)
    if request.lanes is None:
        return config
    wanted = [name.strip() for name in request.lanes.split(",") if name.strip()]
    known = {lane.name: lane for lane in config.lanes}
    strange = [name for name in wanted if name not in known]
    if strange or not wanted:
        message = f"--lanes {request.lanes}: known lanes are {', '.join(known)}"
        raise ConfigError(message)
    return config.model_copy(update={"lanes": tuple(known[name] for name in wanted)})


def _draw(
    results: Sequence[StreamResult], job: Job, request: RunRequest, watcher: ConsoleWatcher
) -> list[StreamResult]:
    return [_draw_one(result, job, request, watcher) for result in results]


def _draw_one(
    result: StreamResult, job: Job, request: RunRequest, watcher: ConsoleWatcher
) -> StreamResult:
    length = float(result.summary["media_s"]) if result.summary else 0.0

    def tell(what: str) -> OnProgress:
        return partial(watcher.drew, watcher.drawing(result.source.stream, what, length))

    try:
        list(draw(result, job.config.outputs, request.truth, tell))
    except WitnessError as error:
        watcher.console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        return replace(result, error=str(error))
    return result


def _tell_truth(console: Console, results: Sequence[StreamResult], truth: Path) -> None:
    for result in results:
        if result.summary is None:
            continue
        score = score_truth(result, truth)
        console.print(
            f"planted sounds: {score.found} of {score.planted} found within 0.5 s, "
            f"{len(score.false)} false"
        )
        for sound in score.missed:
            console.print(f"  missed: {sound.label} at {sound.start_s:.2f} s")
        for event in score.false:
            console.print(f"  false: {event.label} at {float(event.span.start):.2f} s")
        if (result.out / "report.html").is_file():
            console.print(f"open {result.out / 'report.html'} in a browser", soft_wrap=True)
