"""The processes that came of this one, and their end when it is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# It reads until nobody can write any more: the one who could is this process.
_REAP = 'while read -r _; do :; done; kill -KILL "$@" 2>/dev/null'


@contextmanager
def none_survives() -> Iterator[None]:
    """While the block runs, what has come of this process by now ends with it, even if killed.

    For processes that nobody else ends at once. Does nothing where there is no /proc.
    """
    pids = descendants(os.getpid())
    if not pids:
        yield
        return
    reaper = subprocess.Popen(
        ["/bin/sh", "-c", _REAP, "witness-reaper", *map(str, pids)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        reaper.kill()  # before its standard input is closed: what ended in order is left alone
        reaper.wait()
        if reaper.stdin is not None:
            reaper.stdin.close()


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it may have ended meanwhile
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found: list[int] = []
    ahead = [pid]
    while ahead:
        ahead = [child for parent in ahead for child in children.get(parent, [])]
        found += ahead
    return found
