from pathlib import Path

import pytest

from pipeline.commands.export import FAILED, GOOD, USAGE, ExportRequest, export_command
from tests.networks import action_lane


def test_exports_and_tells_what_was_compared(
    tmp_path: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = action_lane(tmp_path).weights
    out = tmp_path / "out"
    assert export_command(ExportRequest(weights, "onnx", out, str(film))) == GOOD
    told = capsys.readouterr().out
    assert "largest error of a logit" in told
    assert {file.name for file in out.iterdir()} == {
        "fidget.features.onnx",
        "fidget.step.onnx",
        "fidget.onnx.json",
    }


def test_a_checkpoint_that_is_not_there_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ExportRequest(str(tmp_path / "gone.safetensors"), "onnx", tmp_path / "out")
    assert export_command(request) == USAGE
    assert "no such checkpoint" in capsys.readouterr().out


def test_pictures_that_cannot_be_read_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = action_lane(tmp_path).weights
    request = ExportRequest(weights, "onnx", tmp_path / "out", str(tmp_path / "gone.mp4"))
    assert export_command(request) == FAILED
    assert "gone.mp4" in capsys.readouterr().out
