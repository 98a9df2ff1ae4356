"""What only the machine itself can tell: processes, disk, devices; measured aside."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from itertools import chain, repeat
from pathlib import Path
from threading import Event, Thread
from typing import Generic, TypeVar

from pipeline.measure.devices import DeviceMemory, device_memory, have_devices
from pipeline.measure.processes import Processes
from pipeline.measure.values import Metrics
from pipeline.run.aside import Aside

T = TypeVar("T")
LOOK_S = 10.0
"""A look at fifty processes takes some ten milliseconds of a core."""
SOON_S = 1.0
DEVICES_S = 15.0
STALE_S = 30.0
"""What was not to be had for so long is not told any more."""
UNKNOWN = float("nan")


class Now(Generic[T]):
    """What `ask` answered last, asked anew every so often, in a thread that may hang."""

    def __init__(self, name: str, ask: Callable[[], T], every_s: float) -> None:
        self._name = name
        self._ask = ask
        self._every_s = every_s
        self._asked: Aside[T] | None = None
        self._asked_at = -every_s
        self._known: tuple[float, T] | None = None

    def look(self, now: float) -> T | None:
        """The latest answer; None when there is none that is fresh."""
        if self._asked is not None and self._asked.done:
            try:
                self._known = (self._asked_at, self._asked.result())
            except OSError:
                self._known = None
            self._asked = None
        if self._asked is None and now - self._asked_at >= self._every_s:
            self._asked, self._asked_at = Aside(self._name, self._ask), now
        if self._known is not None and now - self._known[0] > STALE_S:
            self._known = None
        return self._known[1] if self._known else None


class NodeFigures:
    """While the block runs, puts what is so on this machine into `metrics`, every ten seconds.

    In a thread of its own, so that who asks for the page waits for nothing; a disk that hangs stops
    to be told after half a minute, and holds up nothing else. `told` and `mine` are as for
    Processes; the disk is the one of `out`.
    """

    def __init__(
        self,
        metrics: Metrics,
        told: Callable[[], Mapping[int, str]] = dict,
        mine: str = "driver",
        out: Path | None = None,
    ) -> None:
        self._metrics = metrics
        self._processes = Processes(told, mine)
        self._disk = Now("disk", lambda: space_of(out), LOOK_S) if out is not None else None
        self._devices = Now("devices", device_memory, DEVICES_S) if have_devices() else None
        self._known_devices: set[str] = set()
        self._knew_disk = False
        self._over = Event()
        self._thread = Thread(target=self._look_on, name="node figures", daemon=True)

    def __enter__(self) -> NodeFigures:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self, now: float) -> None:
        """Measures once."""
        for role, taken in self._processes.look().items():
            self._metrics.put("processes", taken.processes, role)
            self._metrics.put("process_memory_bytes", taken.memory_bytes, role)
            self._metrics.put("process_descriptors", taken.descriptors, role)
            self._metrics.raise_to("process_cpu_seconds", self._processes.cpu_s[role], role)
        if self._disk is not None:
            self._tell_disk(self._disk.look(now))
        if self._devices is not None:
            self._tell_devices(self._devices.look(now) or [])

    def _tell_disk(self, space: tuple[float, float] | None) -> None:
        if space is not None or self._knew_disk:
            self._knew_disk = True
            free, size = space or (UNKNOWN, UNKNOWN)
            self._metrics.put("disk_free_bytes", free, "results")
            self._metrics.put("disk_size_bytes", size, "results")

    def _tell_devices(self, found: list[DeviceMemory]) -> None:
        for device in self._known_devices.difference(one.device for one in found):
            self._metrics.put("device_memory_bytes", UNKNOWN, device)
        for one in found:
            self._known_devices.add(one.device)
            self._metrics.put("device_memory_bytes", one.used_bytes, one.device)
            self._metrics.put("device_memory_size_bytes", one.size_bytes, one.device)

    def _look_on(self) -> None:
        for pause_s in chain((SOON_S,), repeat(LOOK_S)):  # the disk has answered by then
            self.look(time.monotonic())
            if self._over.wait(pause_s):
                return


def space_of(folder: Path) -> tuple[float, float]:
    """Free bytes, for who has no special rights, and all bytes of the disk of a folder.

    Or of the folder above it, while it is not there yet.
    """
    folder = folder.absolute()
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return float(usage.free), float(usage.total)
