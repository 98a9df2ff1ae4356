import time
from collections.abc import Callable, Iterator

import av
import pytest

from tests.live.conftest import Footage
from tests.live.footage import Clip, Clock
from tests.live.servers import RtspServer
from tests.live.viewer import QUICK, watch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lane(shoot: Callable[[Clip], Footage]) -> Footage:
    return shoot(Clip(seconds=8, rate=10, size=(320, 180)))


@pytest.fixture(scope="module")
def camera(lane: Footage, yard: Footage) -> Iterator[RtspServer]:
    mounts = {"/lane": {"feed": lane.feed}, "/yard": {"feed": yard.feed, "shared": False}}
    with RtspServer(mounts, epoch=time.time() - 6.5) as server:
        yield server


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_every_frame_and_every_tone_comes_once_and_when_it_is_due(
    camera: RtspServer, lane: Footage, transport: str
) -> None:
    seen = watch(camera.url("/lane"), 2.2, options=QUICK | {"rtsp_transport": transport})
    clock = Clock(lane.clip, camera.epoch)
    assert seen.codecs == {"video": "h264", "audio": "aac"}
    assert len(seen.numbers) > 18
    # One step over the clip's end is a step back by a whole round.
    assert seen.steps(lane.clip.frames) == {1}
    assert max(seen.lags(clock)[-5:]) < 0.4
    # Picture and sound keep the same time: offsets of both to what they tell.
    shown = [
        clock.time_of(clock.unwrap(number, arrived)) - when
        for number, arrived, when in zip(seen.numbers, seen.arrived, seen.times, strict=True)
        if number is not None and when is not None
    ]
    heard = [camera.epoch + clock.unwrap_second(s, shown[-1] + t) - t for t, s in seen.tones[1:]]
    assert heard == pytest.approx([shown[-1]] * len(heard), abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtcp_tells_the_wall_time_of_every_frame(
    camera: RtspServer, lane: Footage, transport: str
) -> None:
    # Known from the first sender report on: some seconds after the opening.
    seen = watch(camera.url("/lane"), 5.0, options=QUICK | {"rtsp_transport": transport})
    clock = Clock(lane.clip, camera.epoch)
    assert seen.realtime is not None and seen.times[-1] is not None and seen.numbers[-1] is not None
    due = clock.time_of(clock.unwrap(seen.numbers[-1], seen.arrived[-1]))
    assert seen.realtime + seen.times[-1] == pytest.approx(due, abs=0.002)


def test_a_short_clip_with_other_sound_goes_round(camera: RtspServer, yard: Footage) -> None:
    seen = watch(camera.url("/yard"), 1.5)
    assert seen.codecs == {"video": "h264", "audio": "pcm_mulaw"}
    assert seen.steps(yard.clip.frames) == {1}


def test_killed_it_ends_and_started_again_it_is_where_it_would_have_been(yard: Footage) -> None:
    with RtspServer({"/yard": {"feed": yard.feed}}) as camera:
        clock, port = Clock(yard.clip, camera.epoch), camera.port
        with av.open(camera.url("/yard"), options=QUICK, timeout=4) as container:
            packets = container.demux()
            next(packets)
            camera.kill()
            # The trap that a live source has to know: no exception tells the end.
            assert all(packet.stream for packet in packets)
        with pytest.raises(av.error.ConnectionRefusedError):
            av.open(camera.url("/yard"), options=QUICK, timeout=4)
        camera.restart()
        assert camera.port == port
        assert max(watch(camera.url("/yard"), 1.0).lags(clock)[-3:]) < 0.4


def test_stopped_it_is_silent_and_then_goes_on_with_what_is_due(yard: Footage) -> None:
    with RtspServer({"/yard": {"feed": yard.feed}}) as camera:
        camera.stop()
        with pytest.raises((av.error.ExitError, av.error.InvalidDataError)):
            av.open(camera.url("/yard"), options=QUICK, timeout=0.5)
        camera.cont()
        clock = Clock(yard.clip, camera.epoch)
        assert max(watch(camera.url("/yard"), 1.0).lags(clock)[-3:]) < 0.4


def test_the_right_password_opens_and_a_wrong_one_does_not(yard: Footage) -> None:
    with RtspServer({"/yard": {"feed": yard.feed}}, user="viewer", password="right") as camera:
        assert watch(camera.url("/yard", "viewer", "right"), 0.3).numbers
        for who in (("viewer", "wrong"), ()):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(camera.url("/yard", *who), options=QUICK, timeout=4)


def test_another_feed_behind_the_same_address(
    yard: Footage, shoot: Callable[[Clip], Footage]
) -> None:
    mute = shoot(Clip(seconds=8, rate=10, size=(256, 144), sound=None))
    with RtspServer({"/yard": {"feed": yard.feed}}) as camera:
        with av.open(camera.url("/yard"), options=QUICK, timeout=4) as container:
            next(container.demux())
            camera.replace("/yard", mute.feed)
            # Who watched is put out, and has to come again.
            assert all(packet.stream for packet in container.demux())
        assert watch(camera.url("/yard"), 0.5).codecs == {"video": "h264"}


def test_another_size_inside_a_session(yard: Footage, shoot: Callable[[Clip], Footage]) -> None:
    large = shoot(Clip(seconds=8, rate=10, size=(480, 270), sound="pcm_mulaw", ending="mov"))
    with RtspServer({"/yard": {"feed": yard.feed}}) as camera:
        widths: list[int] = []
        with av.open(camera.url("/yard"), options=QUICK, timeout=4) as container:
            for frame in container.decode(video=0):
                if not widths:
                    camera.swap("/yard", large.feed)
                widths.append(frame.width)
                if frame.width == 480:
                    break
        assert set(widths) == {320, 480}
