"""What witness's processes on this machine take of it, by role."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.run.descent import descendants

ROLES = ("driver", "reader", "member", "keeper", "worker", "other")
_CREW = "pipeline.run.worker"
_ON_RAY = {
    "ray::SourceReader": "reader",
    "ray::PoolMember": "member",
    "ray::KeeperHost": "keeper",
    "ray::Map": "worker",
}
"""How Ray calls the processes of jobs, whose workers are told by nobody."""


@dataclass(slots=True)
class Taken:
    """What the processes of one role have at this moment; memory is what is theirs alone."""

    processes: int = 0
    memory_bytes: int = 0
    descriptors: int = 0


class Processes:
    """This process, what has come of it, and whoever else is told, by role.

    `told` gives the roles of processes by their ids, for those that are no descendants and those
    that do not show what they are; `mine` is this one's. CPU time of a role is the sum of what was
    seen of every process that had it, so that it never falls: what one took in its last seconds,
    before it ended unseen, is missing.
    """

    def __init__(self, told: Callable[[], Mapping[int, str]] = dict, mine: str = "driver") -> None:
        self._told = told
        self._mine = mine
        self._seen: dict[tuple[int, float], float] = {}
        self._roles: dict[tuple[int, float], str] = {}
        self.cpu_s: Counter[str] = Counter()

    def look(self) -> dict[str, Taken]:
        """What every role has now; `cpu_s` is as of now afterwards."""
        me, told = os.getpid(), dict(self._told())
        found: dict[str, Taken] = {role: Taken() for role in set(self._roles.values())}
        before, self._seen = self._seen, {}
        roles, self._roles = self._roles, {}
        for pid in {me, *descendants(me), *told}:
            with suppress(psutil.Error):  # it has ended meanwhile, or is somebody else's
                process = psutil.Process(pid)
                key = (pid, process.create_time())
                role = self._mine if pid == me else told.get(pid) or roles.get(key)
                if role is None or role == "other":  # it may have become something since
                    role = role_of(process.cmdline())
                with process.oneshot():
                    taken = found.setdefault(role, Taken())
                    times = process.cpu_times()
                    taken.memory_bytes += own_memory(process)
                    taken.descriptors += process.num_fds()
                taken.processes += 1
                self._roles[key] = role
                self._seen[key] = spent_s = times.user + times.system
                self.cpu_s[role] += max(0.0, spent_s - before.get(key, 0.0))
        return found


def role_of(command: Sequence[str]) -> str:
    """The role that a process's command line shows; `other` for everything else."""
    words = [word for word in command if word.strip()]
    if _CREW in words[:3]:
        role, name = words[-2:]
        if name.startswith("batch-"):
            return "worker"
        return role if role in ROLES else "other"
    title = words[0] if words else ""
    return next((role for start, role in _ON_RAY.items() if title.startswith(start)), "other")


def own_memory(process: psutil.Process) -> int:
    """Bytes that are this process's own; where the kernel does not tell, what it shares as well."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)
