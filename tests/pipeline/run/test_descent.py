"""What came of a process, and that it ends with it."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from pipeline.run.descent import _REAP, MARK, descendants, none_survives

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


LATER = "import subprocess as s, sys; sys.stdin.readline(); s.Popen(['sleep', '60'])"
LATE_OWNER = f"""
import subprocess, sys
from pipeline.run.descent import mark_what_comes, none_survives

mark_what_comes()
child = subprocess.Popen([sys.executable, "-c", {LATER!r}], stdin=subprocess.PIPE)
with none_survives():
    child.communicate(b"now\\n")
    print(child.returncode, flush=True)
    sys.stdin.read()
"""


def test_what_comes_later_ends_too_though_its_parent_is_gone_and_nobody_else_does() -> None:
    marked = {MARK: "another's"}
    other = subprocess.Popen(["sleep", "60"], env=os.environ | marked)
    owner = subprocess.Popen(
        [sys.executable, "-c", LATE_OWNER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | marked,
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"0\n"
    sleeps = [p for p in psutil.process_iter() if p.name() == "sleep"]
    sleeps = [process for process in sleeps if _mark(process) not in ("", "another's")]
    assert len(sleeps) == 1
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    gone, _ = psutil.wait_procs(sleeps, timeout=10)
    assert gone == sleeps
    assert other.poll() is None
    other.kill()
    other.wait()


def _mark(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except psutil.Error:
        return ""


def test_a_number_that_was_used_again_is_another_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        reap = ["/bin/sh", "-c", _REAP, "witness-reaper", "NOBODY=1", f"{innocent.pid}:1"]
        subprocess.run(reap, stdin=subprocess.DEVNULL, check=False)
        assert innocent.poll() is None
        innocent.kill()


def test_they_go_on_when_the_block_ends() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        with none_survives():
            reapers = [p for p in psutil.Process().children() if "witness-reaper" in p.cmdline()]
            assert len(reapers) == 1
        assert child.poll() is None
        child.kill()
