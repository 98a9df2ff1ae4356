"""The file that tells Prometheus which pages there are."""

from __future__ import annotations

import json
import time
from pathlib import Path
from queue import Queue
from typing import Any

from pipeline.measure.targets import Target, TargetsFile, told

WITHIN_S = 20.0
DRIVER = Target("10.0.0.1:9464", "driver")
NODES = [Target("10.0.0.2:9464", "node"), Target("[fd00::3]:9464", "node", "https")]


def soon(path: Path, wanted: Any) -> None:
    """Returns when the file says that; every reading before finds a whole file."""
    until = time.monotonic() + WITHIN_S
    while not path.exists() or json.loads(path.read_text(encoding="utf-8")) != wanted:
        assert time.monotonic() < until


def test_each_page_is_a_group_with_what_it_is() -> None:
    assert json.loads(told([DRIVER, *NODES])) == [
        {"targets": ["10.0.0.1:9464"], "labels": {"page": "driver"}},
        {"targets": ["10.0.0.2:9464"], "labels": {"page": "node"}},
        {"targets": ["[fd00::3]:9464"], "labels": {"page": "node", "__scheme__": "https"}},
    ]


def test_the_file_follows_and_names_nobody_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "targets.json"
    with TargetsFile(path, print) as file:
        for targets in ([DRIVER], [DRIVER, *NODES], [DRIVER]):
            file.want(targets)
            soon(path, json.loads(told(targets)))
    assert json.loads(path.read_text(encoding="utf-8")) == []
    assert [found.name for found in path.parent.iterdir()] == ["targets.json"]


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lines: Queue[str] = Queue()
    with TargetsFile(tmp_path / "file" / "targets.json", lines.put) as file:
        file.want([DRIVER])
        assert "targets.json: cannot be written: " in lines.get(timeout=WITHIN_S)
        file.want([DRIVER, *NODES])
    assert lines.empty()
