"""Where a running witness is found, and by whom."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pipeline.config.streams import ControlConfig
from pipeline.control.place import Place, find_place, held_place, token_of
from pipeline.errors import ConfigError, OutputError

PLACE = Place("http://127.0.0.1:9465", "a-token-that-nobody-else-has")


def test_it_is_found_while_it_runs_by_its_user_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with held_place(out) as held:
        held.tell(PLACE)
        assert find_place(out) == PLACE
        assert stat.S_IMODE((out / "control.json").stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="no witness runs with --out"):
        find_place(out)
    assert not (out / "control.json").exists()


def test_a_file_that_everybody_could_read_is_closed_before_the_token_is_in_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "control.json").touch(0o644)
    with held_place(tmp_path):
        assert stat.S_IMODE((tmp_path / "control.json").stat().st_mode) == 0o600


def test_two_do_not_run_in_one_folder(tmp_path: Path) -> None:
    with (
        held_place(tmp_path),
        pytest.raises(ConfigError, match="another witness runs there"),
        held_place(tmp_path),
    ):
        pass


def test_what_one_that_was_killed_left_is_nobody(tmp_path: Path) -> None:
    with held_place(tmp_path) as held:
        held.tell(PLACE)
        left = (tmp_path / "control.json").read_bytes()
    (tmp_path / "control.json").write_bytes(left)
    with pytest.raises(ConfigError, match="no witness runs with --out"):
        find_place(tmp_path)
    with held_place(tmp_path) as held:
        held.tell(PLACE)
        assert find_place(tmp_path) == PLACE


def test_one_that_is_just_starting_is_said_to_be(tmp_path: Path) -> None:
    with held_place(tmp_path), pytest.raises(ConfigError, match="is one just starting"):
        find_place(tmp_path)


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="not a folder"), held_place(tmp_path / "file"):
        pass


def test_a_token_is_made_or_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(token_of(ControlConfig())) > 40
    assert token_of(ControlConfig()) != token_of(ControlConfig())
    monkeypatch.setenv("CONTROL", "0123456789abcdef")
    assert token_of(ControlConfig(token_env="CONTROL")) == "0123456789abcdef"
    (tmp_path / "token").write_text("fedcba9876543210\n")
    assert token_of(ControlConfig(token_file=str(tmp_path / "token"))) == "fedcba9876543210"


@pytest.mark.parametrize("token", ["", "short", "0123456789abcde\nf"])
def test_a_token_that_is_none_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("CONTROL", token)
    with pytest.raises(ConfigError, match="the variable CONTROL") as caught:
        token_of(ControlConfig(token_env="CONTROL"))
    assert not token or token not in str(caught.value)


def test_a_place_does_not_print_its_token() -> None:
    assert PLACE.token not in repr(PLACE)
