"""Every kind of source, opened as a fleet opens it, from real senders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from pipeline.config.streams import StreamConfig
from pipeline.media.tryout import Tryout, tryout
from tests.live import hls
from tests.live.conftest import Footage
from tests.live.footage import Clip
from tests.live.http_server import HttpServer
from tests.live.senders import RtmpServer, Sender, free_port
from tests.live.servers import RtspServer
from tests.needs import need_program

pytestmark = pytest.mark.slow

LANE = Clip(seconds=8, rate=10, size=(320, 180))
JPEGS = Clip(seconds=2, rate=10, size=(320, 180), video="mjpeg", sound=None, ending="mkv")


@pytest.fixture(scope="module")
def lane(shoot: Callable[[Clip], Footage]) -> Footage:
    return shoot(LANE)


@pytest.fixture(scope="module")
def camera(yard: Footage) -> Iterator[RtspServer]:
    with RtspServer({"/yard": {"feed": yard.feed}}, user="viewer", password="right") as server:
        yield server


def tried(url: str, **said: object) -> Tryout:
    return tryout(StreamConfig.model_validate({"url": url, **said}).address(), "yard")


def facts(found: Tryout) -> tuple[str, int, int, str]:
    """Codec and size of the pictures, and codec of the sound; with the failure where it is one."""
    assert found.failure == "" and found.info is not None
    video, audio = found.info.video, found.info.audio
    assert video is not None
    return video.codec, video.width, video.height, audio.codec if audio else ""


def login(monkeypatch: pytest.MonkeyPatch, password: str = "right") -> dict[str, object]:
    monkeypatch.setenv("YARD_PASSWORD", password)
    return {"credentials": {"user": "viewer", "password_env": "YARD_PASSWORD"}}


@pytest.mark.parametrize("transport", ["auto", "tcp", "udp"])
def test_rtsp(camera: RtspServer, monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
    found = tried(camera.url("/yard"), transport=transport, **login(monkeypatch))
    assert facts(found) == ("h264", 320, 180, "pcm_mulaw")
    assert found.picture_s is not None and found.picture_s < 1.5


def test_rtsp_with_a_wrong_password_and_a_wrong_path(
    camera: RtspServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(camera.url("/yard"), **login(monkeypatch, "wr@ng"))
    assert "refused; check the user name and the password" in found.failure
    assert "wr@ng" not in found.failure and "wr%40ng" not in found.failure
    found = tried(camera.url("/none"), **login(monkeypatch))
    assert "nothing is there; check the address" in found.failure


def test_rtsp_over_udp_alone_is_fallen_back_to(yard: Footage) -> None:
    mounts = {"/yard": {"feed": yard.feed, "transports": ["udp"]}}
    with RtspServer(mounts) as camera:
        assert facts(tried(camera.url("/yard"))) == ("h264", 320, 180, "pcm_mulaw")


@pytest.mark.parametrize("host", ["127.0.0.1", "239.255.7.8"], ids=["unicast", "multicast"])
def test_mpegts_over_udp(lane: Footage, host: str) -> None:
    url = f"udp://{host}:{free_port()}"
    with Sender(lane.path, url, "mpegts", seconds=LANE.seconds):
        assert facts(tried(url)) == ("h264", 320, 180, "aac")


def test_mpegts_over_tcp(lane: Footage) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with Sender(lane.path, url, "mpegts", seconds=LANE.seconds):
        assert facts(tried(url)) == ("h264", 320, 180, "aac")


def test_rtmp(lane: Footage, tmp_path: Path) -> None:
    with RtmpServer(tmp_path) as server, Sender(lane.path, server.url, "flv", seconds=LANE.seconds):
        assert facts(tried(server.url)) == ("h264", 320, 180, "aac")


def test_rtp_by_an_sdp_file(lane: Footage, tmp_path: Path) -> None:
    port = free_port()
    described = tmp_path / "yard.sdp"
    described.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=yard\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 33\n"
    )
    with Sender(lane.path, f"rtp://127.0.0.1:{port}", "rtp_mpegts", seconds=LANE.seconds):
        assert facts(tried(str(described))) == ("h264", 320, 180, "aac")


def test_srt_over_the_bridge(lane: Footage) -> None:
    program = need_program("srt-live-transmit")
    sent, bridged, brought = free_port(), free_port(), free_port()
    encoder = [f"udp://127.0.0.1:{sent}", f"srt://127.0.0.1:{bridged}?mode=listener"]
    bridge = [f"srt://127.0.0.1:{bridged}?mode=caller", f"udp://127.0.0.1:{brought}"]
    with (
        ended(Popen([program, "-q", *encoder])),
        ended(Popen([program, "-q", *bridge])),
        Sender(lane.path, f"udp://127.0.0.1:{sent}", "mpegts", seconds=LANE.seconds),
    ):
        assert facts(tried(f"udp://127.0.0.1:{brought}")) == ("h264", 320, 180, "aac")


@contextmanager
def ended(program: Popen[bytes]) -> Iterator[None]:
    """The program runs inside, and is gone outside."""
    try:
        yield
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize(("kind", "aes"), [("mpegts", False), ("fmp4", False), ("mpegts", True)])
def test_hls(lane: Footage, tmp_path: Path, kind: str, aes: bool) -> None:
    segments = hls.cut(lane.path, LANE, tmp_path, length_s=1, kind=kind, aes=aes)
    with hls.Origin(segments, time.time() - 5.5) as origin:
        assert facts(tried(origin.url)) == ("h264", 320, 180, "aac")
        with origin.failing(503):
            assert "the server answers 503" in tried(origin.url).failure


def test_http(
    lane: Footage, shoot: Callable[[Clip], Footage], monkeypatch: pytest.MonkeyPatch, media: Path
) -> None:
    from tests.live import footage

    camera = (footage.make(media, JPEGS), JPEGS)
    with HttpServer(
        {"lane.mp4": lane.path}, camera=camera, epoch=time.time(), user="viewer", password="right"
    ) as server:
        who = login(monkeypatch)
        assert facts(tried(server.url("lane.mp4"), **who)) == ("h264", 320, 180, "aac")
        for kind in ("http", "mjpeg"):
            found = tried(server.url("camera.mjpeg"), kind=kind, **who)
            assert facts(found) == ("mjpeg", 320, 180, "")
        assert "refused (401)" in tried(server.url("lane.mp4")).failure
