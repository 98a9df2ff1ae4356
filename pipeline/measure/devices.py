"""How full the memory of this machine's devices is, as the maker's own program says."""

from __future__ import annotations

import csv
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

PROGRAM = "nvidia-smi"
QUERY = ("--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits")
WITHIN_S = 10.0
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """A device, by the number that the program gives it, and its memory."""

    device: str
    used_bytes: int
    size_bytes: int


def have_devices() -> bool:
    """True where there is a program to ask."""
    return shutil.which(PROGRAM) is not None


def device_memory() -> list[DeviceMemory]:
    """The memory of every device that tells it; none where nobody answers in time.

    It counts what everybody on the machine has there, for a process's own share is not to be had
    in a container.
    """
    try:
        answer = subprocess.run(
            [PROGRAM, *QUERY],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for row in csv.reader(answer.stdout.splitlines(), skipinitialspace=True):
        with suppress(ValueError):  # "[N/A]", where memory is shared with the processor
            number, used, size = row
            memory = (int(used) * MEBIBYTE, int(size) * MEBIBYTE)
            found.append(DeviceMemory(f"gpu{int(number)}", *memory))
    return found
