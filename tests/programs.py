"""Programs of their own, which end with a block, and every process that comes of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).parent.parent


@contextmanager
def program(
    words: Sequence[str], said: int | IO[str], **more: str
) -> Iterator[subprocess.Popen[str]]:
    """A command whose words go to `said`; it and all that it began end with the block."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        env=environment() | more,
        text=True,
    )
    left: list[psutil.Process] = []
    try:
        yield process
        left = descendants(process)
    finally:
        process.kill()
        process.communicate()
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def environment() -> dict[str, str]:
    """What a process is given: one thread each, and the tests can be imported."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process that came of it; none when it is gone."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []
