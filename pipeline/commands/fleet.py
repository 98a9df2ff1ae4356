"""`witness run streams.yaml`: live streams, until somebody ends it."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from pipeline.commands.monitoring import fleet_pages
from pipeline.commands.request import (
    GOOD,
    INTERRUPTED,
    SOURCE_FAILED,
    USAGE,
    RunRequest,
    example,
)
from pipeline.config.load import load_fleet
from pipeline.control.place import FILE, HeldPlace, Place, held_place, token_of
from pipeline.errors import ConfigError, LaneError, OutputError, SourceError
from pipeline.measure.values import Metrics
from pipeline.run.crew import Crew
from pipeline.run.interrupt import ctrl_c_noted
from pipeline.run.job import choose_device
from pipeline.run.live.desired import Desired, Plans
from pipeline.run.live.fleet import READERS_IMPORT, Fleet, keepers_for
from pipeline.run.live.supervise import Supervisor
from pipeline.run.runtimes import check_runtimes, settle_runtimes

if TYPE_CHECKING:
    from pipeline.config.streams import FleetConfig

LOOK_S = 1.0
"""How often the file is looked at."""


def fleet_command(request: RunRequest) -> int:
    """The exit code, once Ctrl-C or SIGTERM came and everything was settled and written."""
    console = Console(soft_wrap=True, highlight=False)

    def tell(line: str) -> None:
        _say(f"{time.strftime('%H:%M:%S')} {line}")

    try:
        path = Path(request.addresses[0])
        fleet = load_fleet(path)
        fleet.metrics.build().checked()
        device = choose_device(request.device)
        check_runtimes(fleet, device)
        if any(lane.runtime == "auto" for lane in fleet.lanes):
            settled = settle_runtimes(fleet, device, request.out, example("street.mp4"), tell)
            fleet = fleet.model_copy(update={"lanes": settled.lanes})
        with held_place(request.out) as place, crew_of(request.engine, fleet, device) as crew:
            unsettled = _run(request, fleet, device, crew, tell, place)
    except (ConfigError, LaneError, SourceError) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE
    except OutputError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return SOURCE_FAILED
    except KeyboardInterrupt:
        _say("interrupted again: stopped at once")
        os._exit(INTERRUPTED)  # all processes end with this one; Ray's own end takes seconds
    if unsettled:
        told = f"ended before all was settled: {', '.join(unsettled)}; see summary.json there"
        _say(told)
        return SOURCE_FAILED
    _say("ended: every stream's books are in its summary.json")
    return GOOD


def _say(line: str) -> None:
    """Writes a line; streams do not end because nobody reads it, or the log's disk is full."""
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def _run(
    request: RunRequest,
    fleet: FleetConfig,
    device: str,
    crew: Crew,
    tell: Callable[[str], None],
    place: HeldPlace,
) -> list[str]:
    from pipeline.control.api import Control, app_of
    from pipeline.control.server import ControlServer

    token = token_of(fleet.control)
    plans = Plans(device, offline=request.offline)
    metrics = Metrics()
    pool = fleet.pool
    shared = Fleet(
        lanes=tuple(plans.lane(lane) for lane in fleet.lanes),
        out=request.out,
        members=pool.members,
        threads=pool.threads or max(1, (os.cpu_count() or 1) // pool.members),
        in_flight=pool.in_flight,
        tables="parquet" in fleet.outputs,
        spare=pool.spare,
        keepers=pool.keepers or keepers_for(len(fleet.streams)),
    )
    supervisor = Supervisor(crew, shared, metrics, tell)
    desired = Desired(Path(request.addresses[0]), fleet, plans, supervisor, tell)
    control = app_of(Control(desired, lambda: supervisor.silent_s, metrics.page), token)
    # Signals are noted from here on, after Ray: it takes SIGTERM for itself when it starts.
    with (
        ctrl_c_noted() as noted,
        fleet_pages(request, fleet.metrics, metrics, crew, tell, lambda: supervisor.silent_s),
        ControlServer(control, fleet.control.port) as server,
    ):
        place.tell(Place(server.url, token))
        tell(f"control at {server.url}, with the token in {request.out / FILE}")
        desired.begin()
        gc.freeze()  # what is loaded by now stays: looking through it again would hold rounds up
        with looking(desired.look, LOOK_S, tell):
            return supervisor.run(noted.is_set)


@contextmanager
def looking(
    look: Callable[[], None], every_s: float, tell: Callable[[str], None]
) -> Iterator[None]:
    """While the block runs, looks every so often, aside: a disk that hangs holds nobody up."""
    over = Event()

    def look_on() -> None:
        while not over.wait(every_s):
            try:
                look()
            except Exception as error:  # a defect of ours: the streams do not end for it
                tell(f"the file of streams cannot be followed: {error!r:.300}")

    Thread(target=look_on, name="look at the file", daemon=True).start()
    try:
        yield
    finally:
        over.set()


@contextmanager
def crew_of(engine: str, fleet: FleetConfig, device: str) -> Iterator[Crew]:
    """The crew of an engine: processes of this machine, or Ray's."""
    if engine == "local":
        from pipeline.run.local_crew import LocalCrew

        with LocalCrew(READERS_IMPORT) as local:
            yield local
        return
    import pipeline.run.ray_crew as on_ray

    gpus = fleet.pool.gpus if device == "cuda" else 0.0
    keepers = fleet.pool.keepers or keepers_for(len(fleet.streams))
    with on_ray.started(fleet.pool.members + len(fleet.streams) + keepers + 1, gpus) as crew:
        yield crew
