"""Sounds of one's own: learnt from, heard in a stream, judged; and data that will not do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from models.card import Card
from pipeline.cli import app
from tests import own_data

pytestmark = pytest.mark.slow

SMALL = ["--recipe", "wavenet-small", "--batch", "8", "--check-every", "20"]


def call(*arguments: object) -> Result:
    """`witness` with these arguments; whatever it says, it shows no traceback."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_data.sounds(tmp_path_factory.mktemp("own") / "yard")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """The checkpoint of a short training."""
    out = folder.parent / "out"
    result = call("train", "sound", folder, *SMALL, "--steps", "60", "--out", out)
    assert result.exit_code == 0, result.output
    assert "yard.safetensors and its card are written" in flat(result.output)
    return out / "yard.safetensors"


def test_a_stream_is_heard_with_it(trained: Path, tmp_path: Path) -> None:
    planted = own_data.street_of_sounds(tmp_path / "street.wav")
    lane = {"kind": "sound", "weights": str(trained)}
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"lanes": [lane], "outputs": ["jsonl"]}), encoding="utf-8")
    options = ["--config", config, "--engine", "local", "--metrics-port", "-1"]
    result = call("run", tmp_path / "street.wav", "--out", tmp_path, *options)
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "street" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(row) for row in rows]
    for start, label in planted:
        near = [e for e in events if e["label"] == label and abs(e["start_s"] - start) < 0.6]
        assert near, (start, label, events)


def test_the_card_and_the_pictures_say_how_it_went(trained: Path) -> None:
    card = Card.read(trained.with_suffix(".json"))
    assert (card.name, card.labels) == ("yard", ("background", "hiss", "ring"))
    assert card.heldout["excerpts"]["balanced_accuracy"] == 1.0
    assert card.training["examples"]["ring"] == {"train": 5, "validation": 1, "test": 2}
    assert card.training["steps_done"] == 60
    names = sorted(path.name for path in trained.parent.iterdir())
    assert names == ["confusion.png", "curves.png", "yard.json", "yard.safetensors"]
    picture = cv2.imread(str(trained.parent / "curves.png"))
    assert picture is not None and np.ptp(picture) > 0


def test_it_is_judged_by_other_data(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for number in range(2):
        own_data.write_wav(
            tmp_path / "data" / f"{number}.wav", own_data.tone(rng, 1.0, 16_000), 16_000
        )
    both = np.concatenate([own_data.hiss(rng, 1.0), own_data.tone(rng, 1.0)])
    own_data.write_wav(tmp_path / "data" / "both.wav", both)
    table = tmp_path / "data" / "labels.csv"
    rows = ["0.wav,ring,,", "1.wav,ring,,", "both.wav,hiss,0,1", "both.wav,ring,1,2"]
    table.write_text("\n".join(["path,label,start,end", *rows]), encoding="utf-8")
    result = call("evaluate", trained, table, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "accuracy 1.000" in result.output
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert told["confusion"] == {"hiss": {"hiss": 1}, "ring": {"ring": 3}}
    assert told["sha256"] == Card.read(trained.with_suffix(".json")).sha256
    assert (tmp_path / "out" / "confusion.png").is_file()


def test_labels_that_the_checkpoint_does_not_know_are_told(trained: Path, tmp_path: Path) -> None:
    own_data.write_wav(tmp_path / "data" / "bark" / "a.wav", np.full(8000, 0.1, np.float32))
    result = call("evaluate", trained, tmp_path / "data", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "the data has bark, which yard does not know" in flat(result.output)
    assert not (tmp_path / "out" / "evaluation.json").exists()
    result = call("evaluate", trained, tmp_path / "data", "--split", "test", "--out", tmp_path)
    assert result.exit_code == 2 and "DATA names no splits" in flat(result.output)


def test_bad_checkpoints_are_told(trained: Path, folder: Path, tmp_path: Path) -> None:
    damaged, pickled = tmp_path / "damaged.safetensors", tmp_path / "weights.pt"
    damaged.write_bytes(trained.read_bytes()[:-9])
    shutil.copy(trained.with_suffix(".json"), damaged.with_suffix(".json"))
    torch.save({}, pickled)
    corrupt = tmp_path / "corrupt.safetensors"
    corrupt.write_bytes(b"no tensors at all")
    corrupt.with_suffix(".json").write_text("{", encoding="utf-8")
    foreign = tmp_path / "foreign.safetensors"
    shutil.copy(trained, foreign)
    card = json.loads(trained.with_suffix(".json").read_text(encoding="utf-8"))
    card["architecture"]["wings"] = 2
    foreign.with_suffix(".json").write_text(json.dumps(card), encoding="utf-8")
    for path, why in {
        foreign: "its card does not describe the network",
        damaged: "is damaged or belongs to another card",
        corrupt: "the card is not valid JSON",
        pickled: "pickled weights can run code when opened and are refused",
        tmp_path / "none.safetensors": "no such checkpoint",
    }.items():
        result = call("evaluate", path, folder, "--out", tmp_path / "out")
        assert (result.exit_code, why in flat(result.output)) == (2, True), result.output


def spoilt(folder: Path, into: Path) -> Path:
    """A copy of the data that a test may spoil."""
    shutil.copytree(folder, into / "yard")
    return into / "yard"


def test_files_that_cannot_be_used_are_left_out_and_told(folder: Path, tmp_path: Path) -> None:
    data = spoilt(folder, tmp_path)
    (data / "ring" / "words.wav").write_text("no sound", encoding="utf-8")
    own_data.write_wav(data / "ring" / "one.wav", np.ones(1, np.float32))
    own_data.write_wav(data / "hiss" / "quiet.wav", np.zeros(8000, np.float32))
    shutil.copy(data / "ring" / "3.wav", data / "ring" / "again.wav")
    result = call("train", "sound", data, *SMALL, "--steps", "1", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    told = flat(result.output)
    assert "left out: ring/words.wav" in told
    assert "left out: ring/one.wav: 1 sample(s) at 8000 Hz" in told
    assert "left out: hiss/quiet.wav: it is silent" in told
    assert "the same content under several names: ring/3.wav and ring/again.wav" in told


def test_data_that_will_not_do_gives_3(folder: Path, tmp_path: Path) -> None:
    data = spoilt(folder, tmp_path)
    (data / "bark").mkdir()

    def told(*arguments: object) -> str:
        result = call("train", "sound", data, *SMALL, "--out", tmp_path / "out", *arguments)
        assert result.exit_code == 3, result.output
        return flat(result.output)

    assert "bark: the class is empty" in told()
    (data / "bark" / "a.wav").write_text("no sound", encoding="utf-8")
    assert "bark: none of its files can be used" in told()
    own_data.write_wav(data / "bark" / "a.wav", np.full(8000, 0.1, np.float32))
    assert "bark: 1 file(s)" in told()
    shutil.copy(data / "ring" / "1.wav", data / "bark" / "b.wav")
    assert "labels that do not match: bark/b.wav and ring/1.wav are the same" in told()
    shutil.rmtree(data / "bark")
    assert "the loss is" in told("--learning-rate", "1e30", "--steps", "9")
    assert not (tmp_path / "out" / "yard.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--recipe", "deep"], "--recipe deep: there are wavenet, wavenet-narrow, wavenet-small"),
        (["--steps", "0"], "--steps 0: at least 1 step is needed"),
        (["--dropout", "1"], "--dropout 1.0: it is from 0 to below 1"),
        (["--schedule", "steep"], "--schedule steep: there are one_cycle"),
        (["--patience", "0"], "--patience 0: at least 1 check is needed"),
        (["--learning-rate", "-1"], "--learning-rate -1.0"),
        (["--trunk", "tiny"], "only `frames` and `action` have a frame CNN"),
        (["--root", "no/such/folder"], "--root no/such/folder: no such folder"),
        (["--from", "."], "--from, --source and --labels are for the recipes without DATA"),
    ],
)
def test_options_that_cannot_be_give_2(
    options: list[str], why: str, folder: Path, tmp_path: Path
) -> None:
    result = call("train", "sound", folder, "--out", tmp_path, *options)
    assert (result.exit_code, why in flat(result.output)) == (2, True), result.output


def test_a_folder_that_cannot_be_written_is_told_before_training(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file in the way", encoding="utf-8")
    result = call("train", "sound", folder, *SMALL, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "cannot be written: a part of the path is a file" in flat(result.output)


def test_options_for_data_need_data(tmp_path: Path) -> None:
    result = call("train", "sound", "--out", tmp_path, "--label-smoothing", "0.1")
    assert result.exit_code == 2
    assert "--label-smoothing is for data of your own" in flat(result.output)
