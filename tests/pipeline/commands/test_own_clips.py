"""Clips and pictures of one's own: learnt from, found in a stream, judged; and what will not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.card import Card
from pipeline.commands.own_report import BoardWriter
from tests import own_data
from tests.pipeline.commands.test_own_sounds import call, flat

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_data.clips(tmp_path_factory.mktemp("own") / "squares", each=5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return own_data.pictures(tmp_path_factory.mktemp("own") / "stills")


@pytest.fixture(scope="module")
def action(clips: Path) -> Path:
    """The checkpoint of a short training on clips."""
    out = clips.parent / "out"
    small = ["--recipe", "cnn-gru-small", "--steps", "80", "--check-every", "20"]
    result = call("train", "action", clips, *small, "--out", out)
    assert result.exit_code == 0, result.output
    return out / "squares.safetensors"


@pytest.fixture(scope="module")
def snippets(clips: Path) -> Path:
    """The checkpoint of a short training of a clip CNN."""
    out = clips.parent / "snippets"
    small = ["--recipe", "conv3d-small", "--steps", "40", "--check-every", "20"]
    result = call("train", "action", clips, *small, "--out", out)
    assert result.exit_code == 0, result.output
    return out / "squares.safetensors"


@pytest.fixture(scope="module")
def frames(pictures: Path) -> Path:
    """The checkpoint of a short training on pictures."""
    out = pictures.parent / "out"
    small = ["--recipe", "cnn-small", "--steps", "40", "--check-every", "20", "--batch", "16"]
    result = call("train", "frames", pictures, *small, "--out", out, "--tensorboard")
    assert result.exit_code == 0, result.output
    return out / "stills.safetensors"


@pytest.mark.parametrize("name", ["action", "snippets", "frames"])
def test_a_stream_is_seen_with_it(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    weights: Path = request.getfixturevalue(name)
    film = own_data.film(tmp_path / "yard.mp4", [("red", 30), ("blue", 30), ("red", 30)], seed=999)
    lane = {"kind": "action", "weights": str(weights)}
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"lanes": [lane], "outputs": ["jsonl"]}), encoding="utf-8")
    options = ["--config", config, "--engine", "local", "--metrics-port", "-1"]
    result = call("run", film, "--out", tmp_path, *options)
    assert result.exit_code == 0, result.output
    rows = (tmp_path / "yard" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(row) for row in rows]
    for start, label in ((0.0, "red"), (3.0, "blue"), (6.0, "red")):
        near = [e for e in events if e["label"] == label and abs(e["start_s"] - start) < 1.1]
        assert near, (start, label, events)


@pytest.mark.parametrize(
    ("name", "data"), [("action", "clips"), ("snippets", "clips"), ("frames", "pictures")]
)
def test_it_is_judged_by_labelled_files(
    name: str, data: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    weights, folder = request.getfixturevalue(name), request.getfixturevalue(data)
    result = call("evaluate", weights, folder, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert told["accuracy"] >= 0.9
    assert told["labels"].keys() == {"red", "blue"}


def test_pictures_and_clips_may_be_judged_by_the_same_network(
    frames: Path, clips: Path, tmp_path: Path
) -> None:
    result = call("evaluate", frames, clips, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    card = Card.read(frames.with_suffix(".json"))
    assert (card.network, card.labels) == ("action", ("blue", "red"))
    assert card.preprocessing == {"width": 64, "height": 48, "rate_hz": 5.0, "colour": "RGB"}


def test_a_killed_run_goes_on_where_it_was(
    frames: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ["--recipe", "cnn-small", "--steps", "40", "--check-every", "20", "--batch", "16"]
    command = ["train", "frames", pictures, *small, "--out", tmp_path]

    def killed(board: BoardWriter, name: str, step: int, value: float) -> None:
        if step == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BoardWriter, "__call__", killed)
        result = call(*command, "--tensorboard", "--resume")
    assert result.exit_code == 130
    assert "begins anew" in flat(result.output)
    assert "with --resume to go on" in flat(result.output)
    other = call(*command, "--resume", "--dropout", "0.5")
    assert other.exit_code == 3 and "other data or settings" in flat(other.output)
    resumed = call(*command, "--resume")
    assert resumed.exit_code == 0 and "begins anew" not in flat(resumed.output)
    whole = Card.read(frames.with_suffix(".json"))
    assert Card.read(tmp_path / "stills.json").training == whole.training
    assert sorted(path.name for path in frames.parent.iterdir()) == [
        "confusion.png",
        "curves.png",
        "stills.json",
        "stills.safetensors",
        "tensorboard",
    ]


def test_clips_that_cannot_be_used_are_told(clips: Path, tmp_path: Path) -> None:
    own_data.film(tmp_path / "own" / "red" / "one.mp4", [("red", 1)])
    (tmp_path / "own" / "red" / "words.mp4").write_text("no film", encoding="utf-8")
    own_data.film(tmp_path / "own" / "blue" / "a.mp4", [("blue", 9)])
    small = ["--recipe", "cnn-gru-small", "--out", tmp_path / "out"]
    result = call("train", "action", tmp_path / "own", *small)
    assert result.exit_code == 3
    told = flat(result.output)
    assert "left out: red/one.mp4: 1 frame(s) at 5 Hz; at least 2 are needed" in told
    assert "left out: red/words.mp4" in told
    assert "red: none of its files can be used" in told


def test_a_picture_that_is_none_and_a_part_that_is_empty_are_told(
    frames: Path, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.png").write_text("no picture", encoding="utf-8")
    own_data.pictures(tmp_path / "more", each=1)
    film = (clips / "red" / "0.mp4").as_posix()
    table = tmp_path / "labels.csv"
    rows = ["words.png,red,,", "gone.png,red,,", f"{film},red,50,60", "more/red/0.png,red,,"]
    table.write_text("\n".join(["path,label,start,end", *rows]), encoding="utf-8")
    result = call("evaluate", frames, table, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    told = flat(result.output)
    assert "words.png: not a picture that can be read" in told
    assert "gone.png: no such file" in told
    assert "no frame of it is in the labelled part" in told
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))["left_out"] == 3


def test_another_trunk_is_taken_by_name(pictures: Path, tmp_path: Path) -> None:
    options = ["--trunk", "lenet5", "--steps", "2", "--out", tmp_path]
    result = call("train", "frames", pictures, *options)
    assert result.exit_code == 0, result.output
    card = Card.read(tmp_path / "stills.json")
    assert card.architecture["cnn"] == {"name": "lenet5", "width": 32, "height": 32}
    result = call("train", "frames", pictures, "--trunk", "lenet9", "--out", tmp_path)
    assert result.exit_code == 2 and "no frame CNN is called 'lenet9'" in flat(result.output)
