"""The tutorials are run as they stand, each in a folder that looks like a checkout.

Two of them, which train or start Ray three times, are run by `make soak` alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.tutorial import run
from tests.needs import need_program

ROOT = Path(__file__).parents[2]
SHOWN = ("examples", "deploy", "models")
NEEDED = {"add-a-lane.md": ("git",), "tutorials/stream-to-alert.md": ("promtool", "amtool")}
PAGES = [
    pytest.param("tutorials/folder-to-table.md", marks=pytest.mark.slow),
    pytest.param("tutorials/own-sounds.md", marks=[pytest.mark.slow, pytest.mark.soak]),
    pytest.param("add-a-lane.md", marks=pytest.mark.slow),
    pytest.param("tutorials/stream-to-alert.md", marks=pytest.mark.slow),
    pytest.param(
        "tutorials/laptop-to-cluster.md",
        marks=[pytest.mark.slow, pytest.mark.ray, pytest.mark.soak],
    ),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the examples and the packages; `pipeline` may be written to."""
    for name in SHOWN:
        (tmp_path / name).symlink_to(ROOT / name)
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=unwanted)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_tutorial_holds(page: str, checkout: Path) -> None:
    for program in NEEDED.get(page, ()):
        need_program(program)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "HOME": str(checkout),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }
    environment.pop("RAY_ADDRESS", None)
    run((ROOT / "docs" / page).read_text(encoding="utf-8"), checkout, environment)
