"""What a test needs from the machine: missing in CI it fails, elsewhere it is skipped by name."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest


def need_program(name: str) -> str:
    """The path of a program on this machine."""
    found = shutil.which(name)
    if found is None:
        _missing(f"the program {name!r} is not installed, so what needs it did not run")
    return found


def need_own_mounts() -> list[str]:
    """The start of a command whose mounts nobody else sees and that end with it."""
    command = [need_program("unshare"), "--map-root-user", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        _missing("this machine lets nobody mount anything, so what needs it did not run")
    return command


def _missing(message: str) -> NoReturn:
    if (
        "1" in (os.environ.get("CI"), os.environ.get("WITNESS_CI"))
        or os.environ.get("CI") == "true"
    ):
        pytest.fail(message)
    pytest.skip(message)
