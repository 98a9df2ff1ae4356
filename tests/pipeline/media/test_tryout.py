from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from pipeline.media.credentials import Credentials
from pipeline.media.tryout import Tryout, tryout
from tests.clips import Picture, Recipe, Sound, make
from tests.web_server import Answer, WebServer, certificate


def tried(url: str, kind: str = "file", **said: object) -> Tryout:
    waits = {"open_timeout_s": 1.0, "read_timeout_s": 1.0, **said}
    return tryout(LiveAddress(kind, url, **waits), "yard")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "recipe",
    [Recipe("mp4"), Recipe("mp4", Picture(), None), Recipe("wav", None, Sound("pcm_s16le"))],
)
def test_a_good_source_says_what_it_is_and_how_soon_it_came(clips: Path, recipe: Recipe) -> None:
    found = tried(str(make(clips, recipe)))
    assert found.failure == "" and found.info is not None
    assert (found.info.video is None, found.info.audio is None) == (
        recipe.picture is None,
        recipe.sound is None,
    )
    assert found.packet_s is not None and found.picture_s is not None
    assert 0 < found.packet_s <= found.picture_s < 2


def test_a_folder_is_judged_by_a_file_that_is_whole(clips: Path, tmp_path: Path) -> None:
    assert tried(str(tmp_path), "folder").failure.endswith("is the recorder running?")
    assert "check the path" in tried(str(tmp_path / "none"), "folder").failure
    good, growing = tmp_path / "1.ts", tmp_path / "2.ts"
    good.write_bytes(make(clips, Recipe("ts")).read_bytes())
    growing.write_bytes(b"G" * 188)
    os.utime(good, (1, 1))
    assert tried(str(tmp_path), "folder").failure == ""


def test_where_the_reason_lies_deeper_it_is_looked_for(tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    with WebServer({"/": Answer()}).secured(made, key).serving() as server:
        url = server.url("/a").replace("https", "rtsps")
        assert "certificate is not trusted (self-signed" in tried(url, "rtsp").failure
        assert "check that it speaks rtsps" in tried(url, "rtsp", ca_file=str(made)).failure
        loose = tried(url, "rtsp", tls_verify=False)
        assert loose.notes == (
            "tls.verify is off: anybody in between can read and replace this stream",
        )
    with WebServer({"/": Answer()}).serving() as server:
        url = server.url("/a").replace("http", "rtsps")
        assert "no secure connection" in tried(url, "rtsp").failure
        failure = tried(url.replace("rtsps", "rtsp"), "rtsp").failure
        assert f"something listens at port {server.port}" in failure
    assert "Connection refused" in tried(url, "rtsp").failure


def test_a_sender_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        failure = tried(f"rtsp://127.0.0.1:{port}/a", "rtsp").failure
    assert "no answer in time" in failure and "check that it speaks rtsp" in failure


def test_a_password_that_is_not_there_is_told_before_anybody_is_called() -> None:
    where = Credentials(user="admin", password_env="NO_SUCH_PASSWORD")
    with WebServer({"/": Answer()}).serving() as server:
        found = tried(server.url("/"), "http", credentials=where)
        assert server.asked == []
    assert "the environment has no NO_SUCH_PASSWORD" in found.failure
    assert found.notes == ("http shows the password to the network; use https if the sender can",)


def test_what_is_no_stream() -> None:
    with WebServer({"/": Answer(b"<html>hello</html>" * 100)}).serving() as server:
        assert "cannot be opened" in tried(server.url("/"), "http").failure
