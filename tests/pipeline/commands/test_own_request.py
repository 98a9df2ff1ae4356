"""Teachers and workers as the command line takes them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.card import Card
from tests import own_data
from tests.pipeline.commands.test_own_sounds import call, flat

SMALL = ["--recipe", "cnn-small", "--steps", "12", "--check-every", "6", "--batch", "8"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_data.pictures(tmp_path_factory.mktemp("own") / "stills", each=5)


@pytest.fixture(scope="module")
def teacher(pictures: Path) -> Path:
    out = pictures.parent / "teacher"
    result = call("train", "frames", pictures, *SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    return out / "stills.safetensors"


def test_teacher_and_student_are_held_against_each_other(
    pictures: Path, teacher: Path, tmp_path: Path
) -> None:
    student = ["--distil-from", teacher, "--distil-temperature", "2", "--out", tmp_path]
    result = call("train", "frames", pictures, *SMALL, *student)
    assert result.exit_code == 0, result.output
    told = flat(result.output)
    assert "stills (teacher)" in told and "ms a frame" in told and "parameters" in told
    distilled = Card.read(tmp_path / "stills.json").training["distilled"]
    assert distilled["sha256"] == Card.read(teacher.with_suffix(".json")).sha256
    assert (distilled["weight"], distilled["temperature"]) == (0.7, 2.0)


def test_a_teacher_of_other_labels_is_told(teacher: Path, tmp_path: Path) -> None:
    other = own_data.pictures(tmp_path / "other", each=5)
    (other / "red").rename(other / "green")
    options = [*SMALL, "--distil-from", teacher, "--out", tmp_path / "out"]
    result = call("train", "frames", other, *options)
    assert result.exit_code == 3
    told = flat(result.output)
    assert "stills has other labels than the data: green, red" in told
    assert not (tmp_path / "out" / "other.safetensors").exists()


@pytest.mark.parametrize(
    ("network", "options", "why"),
    [
        ("frames", ["--distil-weight", "0.5"], "--distil-weight: name the teacher"),
        ("frames", ["--distil-from", "sound"], "a checkpoint of a action is wanted"),
        ("frames", ["--distil-from", "x.safetensors"], "no such checkpoint"),
        ("frames", ["--distil-from", "x", "--distil-weight", "1.5"], "it is from 0 to 1"),
        ("frames", ["--distil-from", "x", "--distil-temperature", "0"], "more than 0 is needed"),
        ("action", ["--distil-from", "x"], "only sound and frames learn from a teacher"),
        ("instances", ["--distil-temperature", "2"], "only sound and frames learn from a teacher"),
        ("frames", ["--workers", "0"], "--workers 0: at least 1 is needed"),
    ],
)
def test_what_cannot_be_is_refused(
    network: str, options: list[str], why: str, pictures: Path, tmp_path: Path
) -> None:
    result = call("train", network, pictures, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert why in flat(result.output)
    assert not (tmp_path / "out" / "stills.safetensors").exists()


def test_teachers_and_workers_are_for_data_of_ones_own(tmp_path: Path) -> None:
    for option, value in (("--workers", "2"), ("--distil-from", "sound")):
        result = call("train", "frames", option, value, "--out", tmp_path)
        assert result.exit_code == 2
        assert f"{option} is for data of your own" in flat(result.output)


@pytest.mark.ray
def test_without_ray_train_its_extra_is_named(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray.train.torch", None)
    result = call("train", "frames", pictures, "--workers", "2", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "pip install 'witness-av[workers]'" in flat(result.output)
    assert not (tmp_path / "out").exists()
