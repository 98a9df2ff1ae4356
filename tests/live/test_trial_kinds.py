"""Every kind of source plays, from its first frame on, with its sound if it has any."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from pipeline.media.address import LiveAddress
from tests.live import footage, hls
from tests.live.footage import Clip
from tests.live.http_server import HttpServer
from tests.live.senders import RtmpServer, Sender, free_port
from tests.live.servers import RtspServer
from tests.live.watching import Left, Watching, report
from tests.needs import need_program

pytestmark = pytest.mark.slow

LANE = Clip(seconds=16, rate=10, size=(320, 180))
JPEGS = Clip(seconds=4, rate=10, size=(320, 180), video="mjpeg", sound=None, ending="mkv")
PLAYED_S = 3.0


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    """One fleet for all kinds: its pool is loaded once."""
    with Watching(tmp_path_factory.mktemp("kinds")) as watching:
        yield watching


@pytest.fixture(scope="module")
def lane(media: Path) -> Path:
    return footage.make(media, LANE)


def play(watched: Watching, name: str, address: LiveAddress, seconds: float = PLAYED_S) -> Left:
    """What a stream left that played for some seconds."""
    began = time.time()
    watched.add(name, address)
    watched.until(lambda: watched.newest(name) >= 0)
    first_s = time.time() - began
    watched.run_for(seconds)
    if name in watched.supervisor.plans():
        watched.supervisor.drop(name)
    watched.until(lambda: all(status.name != name for status in watched.supervisor.statuses()))
    left = watched.of(name)
    figures: dict[str, Any] = {"first_event_s": round(first_s, 2), "frames": len(left.numbers)}
    report(f"kind_{name}", {**figures, "tones": len(left.tones)})
    return left


def check(left: Left) -> None:
    left.check_books()
    numbers = [seen.number for seen in left.numbers]
    assert len(numbers) >= (PLAYED_S - 1) * LANE.rate
    assert {(b - a) % LANE.frames for a, b in pairwise(numbers)} == {1}, numbers
    assert left.tones


def sent(lane: Path, url: str, form: str = "mpegts") -> Sender:
    return Sender(lane, url, form, seconds=LANE.seconds)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp(watched: Watching, shoot: Callable[[Clip], Any], transport: Any) -> None:
    with RtspServer({"/a": {"feed": shoot(LANE).feed}}) as server:
        address = LiveAddress("rtsp", server.url("/a"), transport=transport)
        check(play(watched, f"rtsp_{transport}", address))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("unicast", "udp://127.0.0.1"),
        ("multicast", "udp://239.255.7.9"),
        ("tcp", "tcp://127.0.0.1"),
    ],
)
def test_mpegts(watched: Watching, lane: Path, name: str, url: str) -> None:
    url = f"{url}:{free_port()}"
    with sent(lane, url):
        check(play(watched, f"mpegts_{name}", LiveAddress("mpegts", url)))


def test_rtmp(watched: Watching, lane: Path, tmp_path: Path) -> None:
    with RtmpServer(tmp_path) as server, sent(lane, server.url, "flv"):
        check(play(watched, "rtmp", LiveAddress("rtmp", server.url)))


def test_sdp(watched: Watching, lane: Path, tmp_path: Path) -> None:
    port = free_port()
    described = tmp_path / "yard.sdp"
    described.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=yard\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 33\n"
    )
    with sent(lane, f"rtp://127.0.0.1:{port}", "rtp_mpegts"):
        check(play(watched, "sdp", LiveAddress("sdp", str(described))))


@pytest.mark.parametrize("form", ["ts", "fmp4", "aes"])
def test_hls(watched: Watching, lane: Path, tmp_path: Path, form: str) -> None:
    kind = "fmp4" if form == "fmp4" else "mpegts"
    segments = hls.cut(lane, LANE, tmp_path, length_s=1, kind=kind, aes=form == "aes")
    with hls.Origin(segments, time.time() - 5.5) as origin:
        check(play(watched, f"hls_{form}", LiveAddress("hls", origin.url)))


def test_http_progressive(watched: Watching, lane: Path) -> None:
    with HttpServer({"lane.mp4": lane}) as server:
        left = play(watched, "http", LiveAddress("http", server.url("lane.mp4")), 1.0)
    # A whole file comes faster than any camera: what of it was too much to analyse is counted.
    left.check_books()
    assert left.numbers and left.tones


def test_mjpeg(watched: Watching, media: Path) -> None:
    camera = (footage.make(media, JPEGS), JPEGS)
    with HttpServer({}, camera=camera, epoch=time.time()) as server:
        left = play(watched, "mjpeg", LiveAddress("mjpeg", server.url("camera.mjpeg")))
    left.check_books()
    assert len(left.numbers) >= (PLAYED_S - 1) * JPEGS.rate


def test_a_file_at_its_own_pace_round_and_round(watched: Watching, media: Path) -> None:
    short = Clip(seconds=2, rate=10, size=(320, 180))
    path = footage.make(media, short)
    left = play(watched, "file", LiveAddress("file", str(path), realtime=True, loop=True), 5.0)
    left.check_books()
    numbers = [seen.number for seen in left.numbers]
    assert 40 <= len(numbers) <= 80
    assert {(b - a) % short.frames for a, b in pairwise(numbers)} == {1}


def test_a_folder_that_is_written_to(watched: Watching, media: Path, tmp_path: Path) -> None:
    part = footage.make(media, Clip(seconds=2, rate=10, size=(320, 180)))
    folder = tmp_path / "recorder"
    folder.mkdir()
    watched.add("folder", LiveAddress("folder", str(folder)))
    for number in range(3):
        shutil.copy(part, folder / f"{number}.mp4")
        watched.until(lambda files=number: len(watched.of("folder").numbers) >= 20 * (files + 1))
    watched.supervisor.drop("folder")
    watched.until(lambda: all(one.name != "folder" for one in watched.supervisor.statuses()))
    left = watched.of("folder")
    report("kind_folder", {"frames": len(left.numbers)})
    left.check_books()
    assert [seen.number for seen in left.numbers] == [*range(20)] * 3


def test_srt_over_the_bridge(watched: Watching, lane: Path) -> None:
    program = need_program("srt-live-transmit")
    first, bridged, brought = free_port(), free_port(), free_port()
    encoder = [
        program,
        "-q",
        f"udp://127.0.0.1:{first}",
        f"srt://127.0.0.1:{bridged}?mode=listener",
    ]
    bridge = [program, "-q", f"srt://127.0.0.1:{bridged}?mode=caller", f"udp://127.0.0.1:{brought}"]
    with ExitStack() as stack:
        stack.enter_context(ended(encoder))
        stack.enter_context(ended(bridge))
        stack.enter_context(sent(lane, f"udp://127.0.0.1:{first}"))
        check(play(watched, "srt", LiveAddress("mpegts", f"udp://127.0.0.1:{brought}")))


@contextmanager
def ended(command: list[str]) -> Iterator[None]:
    """The program runs inside, and is gone outside."""
    program = Popen(command)
    try:
        yield
    finally:
        program.kill()
        program.wait()
