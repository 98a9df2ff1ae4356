"""Which streams are wanted: those of a file that may change, and those that were added by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from models.card import CheckpointError
from pipeline.config.load import load_fleet
from pipeline.config.streams import FleetConfig, StreamConfig
from pipeline.errors import ConfigError, LaneError, SourceError
from pipeline.lane import Lane
from pipeline.lanes import LaneConfig
from pipeline.run.live.reader import ReadingRules
from pipeline.run.live.supervise import Supervisor
from pipeline.run.live.tended import StreamPlan, StreamStatus

KEPT = ("lanes", "pool", "control", "metrics")
"""What is shared by all streams, and so stays while they run."""


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
        self._seen: tuple[int, int] | None = None
        self._read: FleetConfig | None = None
        self._by_file: dict[str, StreamPlan] = {}
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
            before, self._read = self._read, load_fleet(self._path)
            if before and any(getattr(self._read, key) != getattr(before, key) for key in KEPT):
                self._tell(f"{self._path}: {', '.join(KEPT)} change when witness starts anew")
            kept = {key: getattr(self._fleet, key) for key in KEPT}
            self._follow(self._read.model_copy(update=kept))
        except (ConfigError, LaneError, SourceError) as error:
            self._tell(f"{error}; the streams stay as they are")

    def add(self, name: str, stream: StreamConfig) -> None:
        """Wants a stream that is in no file, under the limits of the control interface.

        ConfigError when the name is taken, or when the stream may not come this way.
        """
        with self._lock:
            completed = self._fleet.completed(stream)
            try:
                self._fleet.check(name, completed)
                admitted = self._fleet.control.admits(completed)
            except ValueError as error:
                raise ConfigError(str(error)) from error
            self._supervisor.want(self._plans.plan(name, admitted, self._fleet), new=True)

    def remove(self, name: str) -> None:
        """Ends a stream, until the file is written again; ConfigError when there is none."""
        with self._lock:
            self._supervisor.drop(name)
            self._by_file.pop(name, None)

    def restart(self, name: str) -> None:
        """Replaces a stream's reader; ConfigError when there is no such stream."""
        self._supervisor.restart(name)

    def names(self) -> list[str]:
        """The streams that are wanted, in order."""
        return sorted(self._supervisor.plans())

    def statuses(self) -> list[StreamStatus]:
        """How every stream is, by name."""
        return sorted(self._supervisor.statuses(), key=lambda status: status.name)

    def _follow(self, fleet: FleetConfig) -> None:
        """Wants what the file says now and did not say before: what ended by itself has ended."""
        with self._lock:
            streams = fleet.complete_streams()
            plans = {
                name: self._plans.plan(name, stream, fleet) for name, stream in streams.items()
            }
            for name in self._by_file.keys() - plans.keys():
                with suppress(ConfigError):  # it ended by itself
                    self._supervisor.drop(name)
            for name, plan in plans.items():
                if self._by_file.get(name) != plan:
                    self._supervisor.want(plan)
            self._by_file = plans
            self._fleet = fleet


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # an editor that replaces it: it is there again in a moment
        return None
    return found.st_mtime_ns, found.st_size
