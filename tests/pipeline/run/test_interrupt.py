"""One Ctrl-C is one, however often it arrives at once. In a process that signals may end."""

from __future__ import annotations

import subprocess
import sys

import pytest

AT_ONCE = """
import signal
from pipeline.run import interrupt
number = signal.Signals[{name!r}]
before = signal.getsignal(number)
with interrupt.ctrl_c_noted() as noted:
    assert not noted.is_set()
    for _ in range(3):
        signal.raise_signal(number)
    assert noted.is_set()
assert signal.getsignal(number) is before
"""
LATER = """
import signal
from pipeline.run import interrupt
interrupt.SAME_S = 0.0
with interrupt.ctrl_c_noted() as noted:
    signal.raise_signal(signal.SIGTERM)
    assert noted.is_set()
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        print("interrupted")
"""


def said(code: str) -> str:
    """What a process of its own prints; an AssertionError in it fails the test."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_one_that_comes_twice_at_once_is_one(name: str) -> None:
    said(AT_ONCE.format(name=name))


def test_a_later_one_interrupts() -> None:
    assert said(LATER) == "interrupted\n"
