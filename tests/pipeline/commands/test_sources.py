from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands import sources
from pipeline.commands.sources import bounded_tryout
from pipeline.media.address import LiveAddress
from tests.clips import Recipe, make
from tests.web_server import Answer, WebServer


def checked(file: Path, *options: str) -> tuple[int, str]:
    """The exit code and what was printed."""
    result = CliRunner().invoke(app, ["sources", "check", str(file), *options])
    return result.exit_code, " ".join(result.output.split())


@pytest.mark.slow
def test_each_stream_is_tried_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make(tmp_path, Recipe("ts"))

    def door(headers: Mapping[str, str]) -> Answer:
        known = headers.get("Authorization") == "Basic YWRtaW46aHVudGVyMg=="
        asks = {"WWW-Authenticate": 'Basic realm="yard"'}
        return Answer(film.read_bytes()) if known else Answer(status=401, headers=asks)

    monkeypatch.setenv("RIGHT", "hunter2")
    monkeypatch.setenv("WRONG", "hunter3")
    file = tmp_path / "streams.yaml"
    with WebServer({"/live.ts": door}).serving() as server:
        url = server.url("/live.ts")
        file.write_text(
            "streams:\n"
            f"  right: {{url: '{url}', credentials: {{user: admin, password_env: RIGHT}}}}\n"
            f"  wrong: {{url: '{url}', credentials: {{user: admin, password_env: WRONG}}}}\n"
            f"  gone: {{url: '{server.url('/none.m3u8')}'}}\n"
            f"  film: {film.name}\n"
        )
        code, told = checked(file)
        assert code == 3
        assert told.count(" ok ") == 2 and told.count(" failed ") == 2
        assert f"wrong: {url}: refused (401); check the user name and the password" in told
        assert "gone: " in told and "nothing is there (404)" in told
        assert "hunter" not in told and "YWRtaW" not in told
        code, told = checked(file, "--only", "film")
        assert (code, told.count(" ok ")) == (0, 1)


def test_a_file_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    for text, options, told in [
        ("streams: {}\n", (), "it names no streams"),
        ("streams: {a: b.mp4}\n", ("--only", "c"), "there is no such stream; there are a"),
        ("streams: {a: 'rtsp://a:hunter2@b'}\n", (), "does not belong in a url"),
    ]:
        file.write_text(text)
        code, said = checked(file, *options)
        assert code == 2 and told in said and "hunter2" not in said


def test_a_file_of_streams_is_validated_as_one() -> None:
    example = Path(__file__).parents[3] / "examples" / "streams.yaml"
    result = CliRunner().invoke(app, ["validate", str(example)])
    assert (result.exit_code, result.output.split()[-1]) == (0, "good")


def test_a_try_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "START_S", -0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/a"
        patient = LiveAddress("rtsp", url, open_timeout_s=0.2, read_timeout_s=0.2, stall_s=0.2)
        assert "it hung, and was given up" in bounded_tryout(patient, "yard").failure
