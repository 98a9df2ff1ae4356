"""The processes that came of this one, and their end when it is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

MARK = "WITNESS_DESCENT"
"""A variable of the environment: what comes of a marked process has it, whoever is its parent."""
_OURS = uuid4().hex
_REAP = r"""
while read -r _; do :; done # until nobody can write any more: the one who could is this process
mark=$1
shift
known=" $* " ours= before=none
look() { # a process id, and its fields after the name: state, parent, ..., when it began
    case "$known" in *" $1:${21} "*) ours="$ours $1" ;; esac
}
# What is stopped makes no more of them: a pass that finds none has found all.
while [ "$ours" != "$before" ]; do
    before=$ours
    for stat in $(grep -lsaF "$mark" /proc/[0-9]*/environ); do
        pid=${stat#/proc/} pid=${pid%/environ}
        case "$ours " in *" $pid "*) ;; *) ours="$ours $pid" ;; esac
    done
    for stat in /proc/[0-9]*/stat; do
        pid=${stat#/proc/} pid=${pid%/stat}
        case "$ours " in *" $pid "*) continue ;; esac
        { read -r line <"$stat"; } 2>/dev/null || continue
        look "$pid" ${line##*) }
    done
    [ -z "$ours" ] || kill -STOP $ours 2>/dev/null
done
[ -z "$ours" ] || kill -KILL $ours 2>/dev/null
"""
"""Plain sh, which takes next to no memory. It knows processes by number and moment of beginning,
as numbers are used again."""


def mark_what_comes() -> None:
    """Marks every process that comes of this one from now on, for `none_survives`."""
    os.environ[MARK] = _OURS


@contextmanager
def none_survives() -> Iterator[None]:
    """While the block runs, what has come of this process by now ends with it, even if killed.

    So does what is marked, however late it comes. For processes that nobody else ends at once. Does
    nothing where there is no /proc.
    """
    known = [f"{pid}:{begun}" for pid in descendants(os.getpid()) if (begun := _begun(pid))]
    if not known:
        yield
        return
    reaper = subprocess.Popen(
        ["/bin/sh", "-c", _REAP, "witness-reaper", f"{MARK}={_OURS}", *known],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != MARK},
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


def _begun(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty when it is gone."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""
