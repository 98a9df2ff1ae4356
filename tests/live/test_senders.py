import itertools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clip, Clock
from tests.live.senders import RtmpServer, Sender, free_port
from tests.live.viewer import watch

pytestmark = pytest.mark.slow

PROBE = {"analyzeduration": "500000", "fpsprobesize": "0"}


@pytest.fixture(scope="module")
def lane(shoot: Callable[[Clip], Footage]) -> Footage:
    return shoot(Clip(seconds=8, rate=10, size=(320, 180)))


def sender(lane: Footage, url: str, form: str = "mpegts", **rest: object) -> Sender:
    return Sender(lane.path, url, form, seconds=lane.clip.seconds, epoch=time.time(), **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "239.255.7.7"], ids=["unicast", "multicast"])
def test_mpegts_over_udp_comes_whole_and_in_time(lane: Footage, host: str) -> None:
    url = f"udp://{host}:{free_port()}"
    with sender(lane, url) as program:
        seen = watch(url, 1.2, options=PROBE)
    clock = Clock(lane.clip, program.wish["epoch"])
    assert seen.codecs == {"video": "h264", "audio": "aac"}
    assert seen.steps(lane.clip.frames) == {1}
    assert max(seen.lags(clock)[-3:]) < 0.6


def test_mpegts_over_tcp_serves_one_viewer_after_the_other(lane: Footage) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with sender(lane, url):
        for _ in range(2):
            assert watch(url, 1.0, options=PROBE).steps(lane.clip.frames) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("shift", [3600.0, -10.0])
def test_time_stamps_jump_where_they_are_told_to(lane: Footage, shift: float) -> None:
    url = f"udp://127.0.0.1:{free_port()}"
    with sender(lane, url, shifts=[(2.0, shift)]):
        seen = watch(url, 4.0, options=PROBE)
    times = [one for one in seen.times if one is not None]
    jumps = [b - a for a, b in itertools.pairwise(times) if abs(b - a) > 1]
    assert jumps == [pytest.approx(shift + 0.1, abs=0.01)]
    assert seen.steps(lane.clip.frames) == {1}


@pytest.mark.slow
def test_rtmp_comes_whole_and_in_time(lane: Footage, tmp_path: Path) -> None:
    with RtmpServer(tmp_path) as server, sender(lane, server.url, "flv"):
        seen = watch(server.url, 2.0, options=PROBE)
    assert seen.codecs == {"video": "h264", "audio": "aac"}
    assert seen.steps(lane.clip.frames) == {1}
