import subprocess

import av
import pytest

from tests.live.conftest import Footage
from tests.live.netns import Network
from tests.live.servers import RtspServer
from tests.live.viewer import QUICK, watch

pytestmark = pytest.mark.slow


def interfaces() -> str:
    return subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout


def rules() -> str:
    return subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout


def test_a_camera_behind_a_cable_and_what_can_happen_to_the_cable(yard: Footage) -> None:
    before = interfaces(), rules()
    with (
        Network() as net,
        RtspServer({"/yard": {"feed": yard.feed}}, address=net.camera, prefix=net.prefix) as camera,
    ):
        url = camera.url("/yard")
        udp = QUICK | {"rtsp_transport": "udp"}
        assert watch(url, 1.0, options=udp).steps(yard.clip.frames) == {1}

        with net.unplugged(), pytest.raises(av.error.FFmpegError):
            av.open(url, options=QUICK, timeout=0.5)

        with net.loss(0.2) as loss:
            lossy = watch(url, 2.0, options=udp)
        assert loss.lost / (loss.lost + loss.passed) == pytest.approx(0.2, abs=0.12)
        assert None in lossy.numbers or lossy.steps(yard.clip.frames) != {1}

        with net.loss(0.05, "tcp") as loss:
            assert watch(url, 2.0).steps(yard.clip.frames) == {1}
        assert loss.passed > 0

        with net.rate(60_000):
            slow = watch(url, 2.0)
        assert len(slow.numbers) < 15
    assert (interfaces(), rules()) == before


def test_nothing_stays_after_a_failure() -> None:
    before = interfaces(), rules()
    with pytest.raises(ZeroDivisionError), Network() as net, net.loss(0.1), net.rate(1e6):
        1 / 0  # noqa: B018
    assert (interfaces(), rules()) == before
