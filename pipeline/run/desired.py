"""Which streams are wanted: those of a file that may change, and those that were added by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from models.card import CheckpointError
from pipeline.config.load import load_fleet
from pipeline.config.streams import FleetConfig, StreamConfig
from pipeline.errors import ConfigError, LaneError
from pipeline.lane import Lane
from pipeline.lanes import LaneConfig
from pipeline.run.live_reader import ReadingRules
from pipeline.run.supervise import Supervisor
from pipeline.run.tended import StreamPlan, StreamStatus


class Plans:
    """Makes plans of stream configs; a lane that is configured alike is built once."""

    def __init__(self, device: str, *, offline: bool) -> None:
        self._device = device
        self._offline = offline
        self._lanes: dict[LaneConfig, Lane] = {}

    def lane(self, config: LaneConfig) -> Lane:
        """The lane of a config; LaneError when its weights are missing or do not fit."""
        if config not in self._lanes:
            try:
                self._lanes[config] = config.build(self._device, offline=self._offline)
            except CheckpointError as error:
                raise LaneError(str(error)) from error
        return self._lanes[config]

    def plan(self, name: str, stream: StreamConfig, fleet: FleetConfig) -> StreamPlan:
        """The plan of a completed stream."""
        rules = ReadingRules(
            overload=stream.overload,
            max_lag_s=stream.max_lag_s or None,
            keeps_rate=stream.priority > 0,
        )
        return StreamPlan(
            name=name,
            address=stream.address(),
            lanes=tuple(self.lane(lane) for lane in fleet.lanes_of(stream)),
            rules=rules,
            weight=stream.weight,
            priority=stream.priority,
        )


class Desired:
    """Tells a supervisor what is wanted; what comes from the file follows the file.

    Every method may be called by any thread. `tell` hears what came of a changed file.
    """

    def __init__(
        self,
        path: Path,
        fleet: FleetConfig,
        plans: Plans,
        supervisor: Supervisor,
        tell: Callable[[str], None],
    ) -> None:
        self._path = path
        self._fleet = fleet
        self._plans = plans
        self._supervisor = supervisor
        self._tell = tell
        self._seen = _stamp(path)
        self._by_file: set[str] = set()
        self._lock = Lock()

    def begin(self) -> None:
        """Wants every stream of the file."""
        self._follow(self._fleet)

    def look(self) -> None:
        """Follows the file if it was written since; a file with a mistake changes nothing."""
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            fleet = load_fleet(self._path)
            if fleet.lanes != self._fleet.lanes or fleet.pool != self._fleet.pool:
                self._tell(f"{self._path}: lanes and pool change only when witness starts anew")
                fleet = fleet.model_copy(
                    update={"lanes": self._fleet.lanes, "pool": self._fleet.pool}
                )
            self._follow(fleet)
        except (ConfigError, LaneError) as error:
            self._tell(f"{error}; the streams stay as they are")

    def add(self, name: str, stream: StreamConfig) -> None:
        """Wants a stream that is in no file; ConfigError when the name is taken."""
        with self._lock:
            if name in self._supervisor.plans():
                message = f"there is a stream called {name!r} already; remove it first"
                raise ConfigError(message)
            completed = self._fleet.completed(stream)
            self._supervisor.want(self._plans.plan(name, completed, self._fleet))

    def remove(self, name: str) -> None:
        """Ends a stream, until the file is written again; ConfigError when there is none."""
        with self._lock:
            self._supervisor.drop(name)
            self._by_file.discard(name)

    def restart(self, name: str) -> None:
        """Replaces a stream's reader; ConfigError when there is no such stream."""
        self._supervisor.restart(name)

    def statuses(self) -> list[StreamStatus]:
        """How every stream is, by name."""
        return sorted(self._supervisor.statuses(), key=lambda status: status.name)

    def _follow(self, fleet: FleetConfig) -> None:
        with self._lock:
            streams = fleet.complete_streams()
            plans = [self._plans.plan(name, stream, fleet) for name, stream in streams.items()]
            for name in self._by_file - streams.keys():
                self._supervisor.drop(name)
            for plan in plans:
                self._supervisor.want(plan)
            self._by_file = set(streams)
            self._fleet = fleet


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # an editor that replaces it: it is there again in a moment
        return None
    return found.st_mtime_ns, found.st_size
