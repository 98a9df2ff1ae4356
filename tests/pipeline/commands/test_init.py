"""`witness init`: what it asks, what it writes, and what it never asks for."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.cli import app
from pipeline.config.load import load_fleet


def call(file: Path, *words: str, said: str = "") -> Result:
    done = CliRunner().invoke(app, ["init", str(file), *words], input=said)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done


def test_with_yes_it_asks_nothing_and_validate_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    done = call(file, "--yes")
    assert done.exit_code == 0, done.output
    assert f"witness sources check {file}" in done.output
    assert f"witness run {file}" in done.output
    valid = CliRunner().invoke(app, ["validate", str(file)])
    assert valid.exit_code == 0, valid.output
    assert [lane.name for lane in load_fleet(file).lanes] == ["action", "instances", "sound"]
    assert [path.name for path in tmp_path.iterdir()] == ["streams.yaml"]


def test_answers_stand_in_the_file_with_comments(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    said = "rtsps://10.0.0.5/one\ngate\nviewer\nGATE_SECRET\ninstances, sound\nresults\n"
    done = call(file, said=said)
    assert done.exit_code == 0, done.output
    fleet = load_fleet(file)
    gate = fleet.streams["gate"]
    assert gate.url == "rtsps://10.0.0.5/one"
    assert gate.credentials is not None
    assert (gate.credentials.user, gate.credentials.password_env) == ("viewer", "GATE_SECRET")
    assert [lane.name for lane in fleet.lanes] == ["instances", "sound"]
    assert f"witness run {file} --out results" in done.output
    assert "export GATE_SECRET=" in done.output
    assert file.read_text().count("#") > 5


def test_a_script_says_all_by_options(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    words = ["--url", "rtsp://10.0.0.5/a?b=1", "--name", "back-yard", "--user", "it's me"]
    done = call(file, *words, "--lanes", "sound", "--yes")
    assert done.exit_code == 0, done.output
    stream = load_fleet(file).streams["back-yard"]
    assert stream.url == "rtsp://10.0.0.5/a?b=1"
    assert stream.credentials is not None
    assert stream.credentials.user == "it's me"
    assert stream.credentials.password_env == "BACK_YARD_PASSWORD"


def test_a_file_plays_for_ever_and_is_found_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Yard 1.mp4").touch()
    done = call(Path("below/streams.yaml"), "--url", "Yard 1.mp4", "--yes")
    assert done.exit_code == 0, done.output
    [stream] = load_fleet(Path("below/streams.yaml")).streams.values()
    assert stream.realtime
    assert stream.loop
    assert Path(stream.url) == tmp_path / "Yard 1.mp4"


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    file.write_text("mine\n")
    done = call(file, "--yes")
    assert done.exit_code == 2
    assert "--force" in done.output
    assert file.read_text() == "mine\n"
    assert call(file, "--yes", "--force").exit_code == 0
    assert "streams:" in file.read_text()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--url", "rtsp://me:hunter2@10.0.0.5/a"], "does not belong in a url"),
        (["--url", "gopher://10.0.0.5/a"], "gopher"),
        (["--user", "me", "--password-env", "hunter2!"], "name of an environment variable"),
        (["--password-env", "SECRET"], "--user"),
        (["--name", "Yard 1"], "a name such as yard"),
        (["--lanes", "smell"], "there are action, instances, sound"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_written(
    tmp_path: Path, words: list[str], why: str
) -> None:
    file = tmp_path / "streams.yaml"
    done = call(file, *words, "--yes")
    assert done.exit_code == 2
    assert why in done.output
    assert "hunter2" not in done.output
    assert not list(tmp_path.iterdir())


def test_it_asks_for_no_password(tmp_path: Path) -> None:
    done = call(tmp_path / "a.yaml", said="\n\nviewer\n\n\n\n")
    assert done.exit_code == 0, done.output
    asked = [line for line in done.output.splitlines() if "password" in line and "?" in line]
    assert not asked
    assert "its name alone" in done.output
    assert "YARD_PASSWORD" in (tmp_path / "a.yaml").read_text()
