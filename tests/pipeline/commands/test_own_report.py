from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.commands.own_report import BoardWriter, tell
from pipeline.errors import ConfigError


def test_numbers_of_a_run_reach_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    watch = BoardWriter(tmp_path)
    for step, loss in ((1, 0.5), (2, 0.25)):
        watch("loss", step, loss)
    watch.close()
    (file,) = tmp_path.iterdir()
    seen = [
        (value.tag, event.step, value.tensor.float_val[0])
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
    ]
    assert seen == [("loss", 1, 0.5), ("loss", 2, 0.25)]


def test_without_tensorboard_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'witness-av\[tensorboard\]'"):
        BoardWriter(tmp_path)


def test_many_notes_are_counted_not_listed() -> None:
    shown = io.StringIO()
    tell(Console(file=shown, width=80), [f"file {number}" for number in range(30)])
    assert shown.getvalue().count("file") == 10
    assert "and 20 more like these" in shown.getvalue()
