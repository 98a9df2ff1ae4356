"""`witness train` refuses what cannot be before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.commands.train import TrainRequest, train_command
from tests.pipeline.commands.scenes import walkers


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network": "sound", "source": "yard.mp4"}, "only `instances` learns from a scene"),
        ({"network": "instances", "labels": Path("a.json")}, "name the video"),
        ({"network": "sound", "steps": 0}, "at least 1 step"),
        ({"network": "sound", "given": Path("no/such/folder")}, "no such folder"),
    ],
)
def test_options_that_cannot_be_give_2(
    options: dict[str, object],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train_command(TrainRequest(out=tmp_path, **options)) == 2  # type: ignore[arg-type]
    assert why in capsys.readouterr().out


@pytest.mark.parametrize("network", ["sound", "action", "instances", "frames"])
def test_missing_data_gives_3_and_names_the_package(
    network: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    monkeypatch.setenv("WITNESS_CACHE", str(tmp_path / "cache"))
    assert train_command(TrainRequest(network, out, given=empty)) == 3
    assert "get the archive of" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize("text", [None, "{", "[]", '{"images": []}'])
def test_labels_that_are_not_coco_give_2(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.json"
    if text is not None:
        labels.write_text(text, encoding="utf-8")
    request = TrainRequest(
        "instances", tmp_path / "out", source=str(walkers(tmp_path, 12)), labels=labels
    )
    assert train_command(request) == 2
    assert f"--labels {labels}" in capsys.readouterr().out.replace("\n", "")
