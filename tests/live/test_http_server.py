import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest

from tests.live import footage, hls
from tests.live.conftest import Footage
from tests.live.footage import Clip, Clock
from tests.live.http_server import HttpServer
from tests.live.viewer import watch

CAMERA = Clip(seconds=2, rate=10, size=(320, 180), video="mjpeg", sound=None, ending="mkv")
LANE = Clip(seconds=8, rate=10, size=(320, 180))


@pytest.fixture(scope="module")
def server(media: Path) -> Iterator[HttpServer]:
    files = {"lane.mp4": footage.make(media, LANE)}
    camera = (footage.make(media, CAMERA), CAMERA)
    with HttpServer(
        files, camera=camera, epoch=time.time(), user="viewer", password="right"
    ) as server:
        yield server


def test_a_file_comes_whole(server: HttpServer) -> None:
    seen = watch(server.url("lane.mp4", "viewer:right@"), 30, options={})
    assert seen.ended
    assert seen.numbers == list(range(LANE.frames))


def test_a_wrong_password_opens_nothing(server: HttpServer) -> None:
    with pytest.raises(av.error.HTTPUnauthorizedError):
        watch(server.url("lane.mp4", "viewer:wrong@"), 1, options={})


def test_a_camera_of_jpegs_comes_in_time_until_it_is_cut(server: HttpServer) -> None:
    url = server.url("camera.mjpeg", "viewer:right@")
    seen = watch(url, 0.8, options={}, format_name="mpjpeg")
    assert seen.steps(CAMERA.frames) == {1}
    assert max(seen.lags(Clock(CAMERA, server.epoch))[-3:]) < 0.3
    with av.open(url, format="mpjpeg", timeout=4) as container:
        packets = container.demux()
        next(packets)
        server.cut()
        with pytest.raises(av.error.OSError):
            for _ in packets:
                pass


# FFmpeg 8.1 loses the first fMP4 segment after time stamps that begin anew: no clip's end there.
@pytest.mark.parametrize(
    ("kind", "aes", "since_s"),
    [("mpegts", False, 10.5), ("fmp4", False, 5.5), ("mpegts", True, 10.5)],
    ids=["ts", "fmp4", "ts-aes"],
)
def test_live_hls_comes_whole(
    shoot: Callable[[Clip], Footage], tmp_path: Path, kind: str, aes: bool, since_s: float
) -> None:
    segments = hls.cut(shoot(LANE).path, LANE, tmp_path / "hls", length_s=1, kind=kind, aes=aes)
    assert len(segments.names) == LANE.seconds
    with hls.Origin(segments, time.time() - since_s) as origin:
        seen = watch(origin.url, 0.7, options={})
        asked = {path for _, path, _ in origin.asked}
    assert seen.codecs == {"video": "h264", "audio": "aac"}
    assert len(seen.numbers) >= 25
    assert seen.steps(LANE.frames) == {1}
    assert ("/key.bin" in asked) == aes


def test_what_goes_wrong_with_an_origin(shoot: Callable[[Clip], Footage], tmp_path: Path) -> None:
    segments = hls.cut(shoot(LANE).path, LANE, tmp_path / "hls", length_s=1)
    with hls.Origin(segments, time.time() - 10.5) as origin:
        with origin.failing(503), pytest.raises(av.error.HTTPServerError):
            watch(origin.url, 1, options={})
        with origin.failing(404), pytest.raises(av.error.HTTPNotFoundError):
            watch(origin.url, 1, options={})
        with origin.stall():
            origin.epoch -= 5
            assert "#EXT-X-MEDIA-SEQUENCE:11" in origin.playlist()
        assert "#EXT-X-MEDIA-SEQUENCE:11" in origin.playlist()
        origin.restart_encoder(renumber=True)
        origin.epoch -= 3
        text = origin.playlist()
        assert "#EXT-X-MEDIA-SEQUENCE:0" in text
        assert "#EXT-X-DISCONTINUITY\n" in text
