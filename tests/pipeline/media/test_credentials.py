from pathlib import Path

import pytest

from pipeline.errors import SourceUnreadable
from pipeline.media.credentials import Credentials


def written(folder: Path, text: str) -> str:
    path = folder / "yard.secret"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_from_the_environment_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Credentials(user="admin", password_env="YARD_PASSWORD")
    monkeypatch.setenv("YARD_PASSWORD", "hunter2")
    assert credentials.resolve() == ("admin", "hunter2")
    monkeypatch.setenv("YARD_PASSWORD", "hunter3")
    assert credentials.resolve() == ("admin", "hunter3")
    monkeypatch.setenv("YARD_USER", "guard")
    assert Credentials(user_env="YARD_USER", password_env="YARD_PASSWORD").resolve()[0] == "guard"


def test_from_a_file_of_one_line(tmp_path: Path) -> None:
    file = written(tmp_path, "admin:hun:ter2\n")
    assert Credentials(file=file).resolve() == ("admin", "hun:ter2")
    assert Credentials(user="guard", file=file).resolve() == ("guard", "admin:hun:ter2")


def test_what_is_missing_is_told_without_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="the environment has no NO_SUCH_PASSWORD"):
        Credentials(user="admin", password_env="NO_SUCH_PASSWORD").resolve()
    with pytest.raises(SourceUnreadable, match="no such credentials file"):
        Credentials(file=str(tmp_path / "none")).resolve()
    with pytest.raises(SourceUnreadable, match="cannot be read"):
        Credentials(file=str(tmp_path)).resolve()
    for text, told in (("hunter2", "hold one line"), ("", "one line"), ("a:hunter2\nb:c", "has 2")):
        with pytest.raises(SourceUnreadable, match=told) as caught:
            Credentials(file=written(tmp_path, text)).resolve()
        assert "hunter2" not in str(caught.value)


def test_a_file_that_anybody_may_read_is_a_worry(tmp_path: Path) -> None:
    file = written(tmp_path, "admin:hunter2")
    assert Credentials(file=file).worry() is None
    assert Credentials(user="a", password_env="B").worry() is None
    Path(file).chmod(0o644)
    assert str(Credentials(file=file).worry()).endswith("chmod 600 it")
