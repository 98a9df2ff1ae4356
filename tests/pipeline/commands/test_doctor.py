"""`witness doctor` finds what is wrong with a machine, and says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.checkpoint import SHIPPED, load
from pipeline.commands import doctor
from pipeline.commands.doctor import Check, default_weights, disk, doctor_command, examine


def test_every_line_that_is_not_good_says_what_to_do() -> None:
    checks = {check.what: check for check in examine()}
    assert {"Python", "torch", "torchvision", "FFmpeg", "OpenCV", "Ray"} <= checks.keys()
    assert {f"weights {name}" for name in default_weights()} <= checks.keys()
    assert all(check.advice for check in checks.values() if check.state != "good")
    here = ("Python", "torch", "torchvision", "FFmpeg", "OpenCV")
    assert {checks[what].state for what in here} == {"good"}


def test_damaged_weights_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in SHIPPED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    name = default_weights()[0]
    damaged = tmp_path / f"{name}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    monkeypatch.setattr("models.checkpoint.SHIPPED", tmp_path)
    told = {check.what: check for check in examine()}[f"weights {name}"]
    assert told.state == "bad"
    assert "sha256" in told.found


def test_shipped_weights_are_good() -> None:
    told = {check.what: check for check in examine()}
    for name in default_weights():
        card, _ = load(name)
        assert told[f"weights {name}"].state == "good"
        assert card.sha256[:12] in told[f"weights {name}"].found


def test_two_flavours_of_opencv_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for flavour in ("opencv-python", "opencv-python-headless"):
        metadata = tmp_path / f"{flavour.replace('-', '_')}-9.9.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {flavour}\nVersion: 9.9")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    told = {check.what: check for check in examine()}["OpenCV"]
    assert told.state == "bad"
    assert "opencv-python, opencv-python-headless" in told.found
    assert "pip uninstall" in told.advice


def test_runtimes_that_are_there_are_named() -> None:
    told = {check.what: check for check in examine()}["runtimes"]
    assert told.found.startswith("eager")
    assert "onnx " in told.found
    assert "openvino " in told.found


def test_each_runtime_that_is_missing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.runtime.onnx_runtime.find_spec", lambda name: None)
    monkeypatch.setattr("models.runtime.open_vino.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    told = {check.what: check for check in examine()}["runtimes"]
    assert (told.state, told.found) == ("note", "eager")
    for missing in ("C++ compiler", "witness-av[onnx]", "witness-av[openvino]"):
        assert missing in told.advice


def test_folder_that_is_a_file_is_bad(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("in the way")
    assert disk("results", file).state == "bad"
    assert disk("results", tmp_path / "not" / "yet").state in {"good", "note"}


@pytest.mark.parametrize(("state", "code"), [("good", 0), ("note", 0), ("bad", 2)])
def test_only_what_stops_the_main_job_gives_2(
    state: doctor.State,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [Check("thing", state, "found", "do this")])
    assert doctor_command() == code
    assert "do this" in capsys.readouterr().out
