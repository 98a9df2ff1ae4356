"""What came of a process, and that it ends with it."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from pipeline.run.descent import descendants, none_survives

CHILD = "import subprocess as s, sys; s.Popen(['sleep', '60'], stdout=2); s.Popen(['sleep', '60'])"
OWNER = f"""
import subprocess, sys
from pipeline.run.descent import descendants, none_survives
import os

child = subprocess.Popen([sys.executable, "-c", {CHILD + "; s.os.wait()"!r}])
while len(descendants(os.getpid())) < 3:
    pass
with none_survives():
    print(*descendants(child.pid), child.pid, flush=True)
    sys.stdin.read()
"""


def test_descendants_are_found_at_any_depth() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo up; wait"], stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        found = descendants(os.getpid())
        inner = psutil.Process(one.pid).children()
        assert {one.pid, *(child.pid for child in inner)} <= set(found)
        assert len(inner) == 1
        for process in (*inner, one):
            process.kill()


def test_they_end_with_an_owner_that_is_killed() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdin is not None
    processes = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    assert len(processes) == 3
    _gone, alive = psutil.wait_procs(processes, timeout=10)
    assert [process.name() for process in alive if process.status() != "zombie"] == []


def test_they_go_on_when_the_block_ends() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        with none_survives():
            reapers = [p for p in psutil.Process().children() if "witness-reaper" in p.cmdline()]
            assert len(reapers) == 1
        assert child.poll() is None
        child.kill()
