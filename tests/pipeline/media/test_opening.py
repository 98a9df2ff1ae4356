"""What is refused before it costs anything, and what is told beside the pictures."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import SourceAbsent, SourceMissing, SourceUnreadable
from pipeline.media.address import LiveAddress, OpenPlan, plan_of
from pipeline.media.opening import MAX_STREAMS, opened
from tests.clips import Recipe, make
from tests.web_server import certificate


def many_sounds(path: Path, count: int) -> Path:
    """A file with so many streams of sound."""
    with av.open(str(path), "w") as container:
        for stream in [
            container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(count)
        ]:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, 0
            container.mux(stream.encode(frame))
    return path


@pytest.mark.parametrize("count", [MAX_STREAMS + 1, 3 * MAX_STREAMS])
def test_a_file_of_too_many_streams(tmp_path: Path, count: int) -> None:
    path = many_sounds(tmp_path / "many.mkv", count)
    with (
        pytest.raises(SourceUnreadable, match=f"more than {MAX_STREAMS} streams"),
        opened(str(path)),
    ):
        pass


def test_a_file_of_as_many_streams_as_may_be(tmp_path: Path) -> None:
    with opened(str(many_sounds(tmp_path / "many.mkv", MAX_STREAMS))) as source:
        assert len(source.container.streams) == MAX_STREAMS


def test_a_playlist_on_this_machine_is_not_followed(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(make(clips, Recipe("ts")).read_bytes())
    path = tmp_path / "live.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceUnreadable, match="list of files"), opened(str(path)):
        pass


def test_a_device_that_is_not_there_is_told_and_the_processor_decodes(clips: Path) -> None:
    path = make(clips, Recipe())
    plan = plan_of(LiveAddress("file", str(path), hwaccel="nonsense"))
    with opened(plan) as source:
        assert source.note == "nonsense: no such device can be used here; the processor decodes"
        assert source.video is not None
        assert next(source.container.decode(source.video)).width == source.video.width
    with opened(replace(plan, hwaccel=None)) as source:
        assert source.note == ""


def test_a_camera_that_is_not_plugged_in(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceMissing, match="no such device; is the camera plugged in"),
        opened(plan_of(LiveAddress("device", str(tmp_path / "video99")))),
    ):
        pass


def plan(scheme: str, port: int, **said: object) -> OpenPlan:
    url = f"{scheme}://127.0.0.1:{port}/a/b"
    kind = "rtsp" if scheme.startswith("rtsp") else "rtmp"
    return plan_of(LiveAddress(kind, url, open_timeout_s=1, read_timeout_s=1, **said))  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_a_sender_that_is_not_there_and_one_that_is_silent(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(SourceAbsent, match="no answer in time"), opened(plan(scheme, port)):
            pass
    with pytest.raises(SourceUnreadable, match="Connection refused"), opened(plan(scheme, port)):
        pass


@pytest.mark.parametrize("scheme", ["rtsps", "rtmps"])
def test_a_certificate_that_nobody_vouches_for_is_not_believed(scheme: str, tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = threading.Thread(target=_greet, args=(door, made, key, heard, 2))
        server.start()
        port = door.getsockname()[1]
        with (
            pytest.raises(SourceUnreadable, match="is its certificate trusted"),
            opened(plan(scheme, port)),
        ):
            pass
        assert heard in ([], [b""])
        with pytest.raises(SourceUnreadable), opened(plan(scheme, port, ca_file=str(made))):
            pass
        server.join()
    assert heard[-1]


def _greet(door: socket.socket, made: Path, key: Path, heard: list[bytes], times: int) -> None:
    """Takes calls under TLS, notes what is said first, and hangs up."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    for _ in range(times):
        link, _ = door.accept()
        try:
            with context.wrap_socket(link, server_side=True) as secure:
                heard.append(secure.recv(100))
        except OSError:
            link.close()
