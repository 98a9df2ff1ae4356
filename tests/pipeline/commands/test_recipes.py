"""Frames for recipes, and their errors as messages and exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from models.card import CheckpointError
from models.training.packages import PackageError
from models.training.scene import SceneError
from pipeline.commands.recipes import SourceFrames, finish
from pipeline.errors import ConfigError, SourceMissing
from tests.clips import Recipe, make, read_bar_code


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("why"), 2),
        (CheckpointError("why"), 2),
        (SourceMissing("why"), 3),
        (PackageError("why"), 3),
        (SceneError("why"), 3),
    ],
)
def test_errors_for_people_are_told_without_a_trace(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finish(Console(), raising(error)) == code
    assert capsys.readouterr().out == "error why\n"


def test_ctrl_c_gives_130() -> None:
    assert finish(Console(), raising(KeyboardInterrupt())) == 130


def test_a_mistake_of_ours_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        finish(Console(), raising(ZeroDivisionError()))


def test_missing_train_extra_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert finish(Console(), lambda: importlib.import_module("sklearn") and None) == 2
    assert "pip install 'witness-av[train]'" in capsys.readouterr().out


def test_frames_come_anew_at_every_call(tmp_path: Path) -> None:
    seen: list[int] = []
    read = SourceFrames(str(make(tmp_path, Recipe())), tell=seen.append)
    first = [(index, read_bar_code(picture)) for index, picture in read()]
    assert first == [(number, number) for number in range(50)]
    assert [(index, read_bar_code(picture)) for index, picture in read()] == first
    assert seen == [*range(50), *range(50)]


def test_frames_end_before_the_given_second(tmp_path: Path) -> None:
    read = SourceFrames(str(make(tmp_path, Recipe())), until_s=0.4)
    assert [index for index, _ in read()] == list(range(10))
