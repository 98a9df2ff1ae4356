"""`witness probe` tells what is in a source and what would be done with it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from models.card import Card
from models.checkpoint import save
from pipeline.commands.probe import plan, probe_command
from pipeline.config.load import load_config
from pipeline.config.schema import RunConfig
from pipeline.records import AudioInfo, StreamInfo, VideoInfo
from tests.clips import Recipe, make

VIDEO = VideoInfo("h264", 1280, 720, Fraction(1, 90_000), Fraction(25))
AUDIO = AudioInfo("aac", 48_000, 2, "stereo", Fraction(1, 48_000))
INFO = StreamInfo("yard", "yard.mp4", "mov", VIDEO, AUDIO, Fraction(10))


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A config whose three lanes have weights, if only of one number."""
    cards = (
        Card("move", "action", ("still",), {}, {"rate_hz": 5, "width": 160, "height": 120}),
        Card("people", "mask_rcnn", ("person",), {}, {"min_size": 384}),
        Card("ears", "wavenet", ("background",), {}, {"sample_rate": 16_000, "hop": 1600}),
    )
    lines = ["lanes:"]
    for kind, card in zip(("action", "instances", "sound"), cards, strict=True):
        path = tmp_path / f"{card.name}.safetensors"
        save(path, {"one": torch.zeros(1)}, card)
        lines += [f"  - kind: {kind}", f"    weights: {path}"]
    file = tmp_path / "witness.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_plan_tells_rate_size_and_hop(config_file: Path) -> None:
    action, instances, sound = plan(INFO, load_config(config_file))
    assert action.does == "looks at 5 frames a s of 25, scaled to 160x120"
    assert instances.does == "looks at 5 frames a s of 25, scaled to 683x384"
    assert sound.does == (
        "hears mono at 16000 Hz of 48000, says a label every 0.1 s, 0.5 s at a time"
    )


def test_plan_says_why_a_lane_stays_idle(config_file: Path) -> None:
    *_, sound = plan(replace(INFO, audio=None), load_config(config_file))
    assert sound.does == "stays idle: the source has no sound"
    action, instances, _ = plan(replace(INFO, video=None), load_config(config_file))
    assert {action.does, instances.does} == {"stays idle: the source has no pictures"}


def test_slow_source_is_looked_at_whole(config_file: Path) -> None:
    slow = replace(INFO, video=replace(VIDEO, rate_from_header=Fraction(4)))
    action, *_ = plan(slow, load_config(config_file))
    assert action.does.startswith("looks at every frame, ")


def test_missing_weights_are_told_and_give_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "witness.yaml"
    file.write_text("lanes: [{kind: sound, weights: gone.safetensors}]", encoding="utf-8")
    clip = make(tmp_path, Recipe())
    assert probe_command(str(clip), file) == 2
    said = capsys.readouterr().out
    assert "aac, 48000 Hz" in said
    assert "cannot run" in said


def test_good_source_gives_0(
    tmp_path: Path, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make(tmp_path, Recipe())
    assert probe_command(str(clip), config_file) == 0
    said = capsys.readouterr().out
    assert "96x64, 25 frames a s" in said
    assert "outputs: " + ", ".join(RunConfig().outputs) in said


def test_bad_source_gives_3_and_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe_command("no/such/file.mp4", None) == 3
    assert "error no/such/file.mp4: no such file" in capsys.readouterr().out


def test_bad_config_gives_2_and_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "witness.yaml"
    file.write_text("outputs: [jsonl]\nlane: []\n", encoding="utf-8")
    assert probe_command("no/such/file.mp4", file) == 2
    assert f"{file}:2: unknown key `lane`" in capsys.readouterr().out
