import threading
import time
from collections.abc import Iterator

import av
import pytest

from tests.live.conftest import Footage
from tests.live.proxy import Proxy
from tests.live.servers import RtspServer
from tests.live.viewer import QUICK, watch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def camera(yard: Footage) -> Iterator[RtspServer]:
    with RtspServer({"/yard": {"feed": yard.feed}}) as server:
        yield server


@pytest.fixture
def proxy(camera: RtspServer) -> Iterator[Proxy]:
    with Proxy(camera.address, camera.port) as proxy:
        yield proxy


def url(proxy: Proxy) -> str:
    return f"rtsp://127.0.0.1:{proxy.port}/yard"


def test_without_faults_everything_passes(proxy: Proxy, yard: Footage) -> None:
    seen = watch(url(proxy), 1.0)
    assert seen.steps(yard.clip.frames) == {1}
    assert proxy.counted.connections == 1


@pytest.mark.parametrize("faults", [{"stall_at_connect": True}, {"stall_after": "DESCRIBE"}])
def test_a_half_open_server_answers_nothing(proxy: Proxy, faults: dict[str, bool | str]) -> None:
    with proxy.failing(**faults), pytest.raises((av.error.ExitError, av.error.InvalidDataError)):
        av.open(url(proxy), options=QUICK, timeout=0.5)
    assert proxy.counted.connections >= 1


def test_a_stall_in_midstream_is_silence_and_ends(proxy: Proxy) -> None:
    with av.open(url(proxy), options=QUICK, timeout=(2.0, 0.5)) as container:
        packets = container.demux()
        next(packets)
        with proxy.failing(stalled=True), pytest.raises(av.error.ExitError):
            for _ in packets:
                pass
    assert watch(url(proxy), 0.5).numbers


def test_a_slow_wire_makes_the_stream_late(proxy: Proxy) -> None:
    passed, start = proxy.counted.passed, time.time()
    with proxy.failing(rate=10_000.0):
        watch(url(proxy), 1.2)
        rate = (proxy.counted.passed - passed) / (time.time() - start)
    assert 4_000 < rate < 14_000


def test_turned_bytes_are_counted_and_turned(proxy: Proxy) -> None:
    with proxy.failing(flip=1.0):
        try:
            seen = watch(url(proxy), 1.0)
        # Not only FFmpeg's errors: a turned byte in the session's name is no UTF-8.
        except (av.error.FFmpegError, UnicodeDecodeError):
            seen = None
    assert proxy.counted.flipped > 0
    assert seen is None or seen.ended or None in seen.numbers or seen.errors


def test_a_cut_ends_the_stream_and_no_thread_is_left(camera: RtspServer) -> None:
    before = threading.active_count()
    with Proxy(camera.address, camera.port) as proxy:
        with av.open(url(proxy), options=QUICK, timeout=4) as container:
            packets = container.demux()
            next(packets)
            proxy.cut()
            assert all(packet.stream for packet in packets)
        with proxy.failing(refuse=True), pytest.raises(av.error.FFmpegError):
            av.open(url(proxy), options=QUICK, timeout=1)
    assert threading.active_count() <= before
