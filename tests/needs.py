"""What a test needs from the machine: missing in CI it fails, elsewhere it is skipped by name."""

from __future__ import annotations

import os
import shutil

import pytest


def need_program(name: str) -> str:
    """The path of a program on this machine."""
    found = shutil.which(name)
    if found is not None:
        return found
    message = f"the program {name!r} is not installed, so what needs it did not run"
    if (
        "1" in (os.environ.get("CI"), os.environ.get("WITNESS_CI"))
        or os.environ.get("CI") == "true"
    ):
        pytest.fail(message)
    pytest.skip(message)
