from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
import pytest
from av.packet import Packet

from pipeline.media.address import OpenPlan
from pipeline.media.damage import HEALS_S, Damage
from pipeline.media.decode import Decoder
from pipeline.media.kinds import Kind
from pipeline.media.opening import exact
from pipeline.records import Frame, Gap
from tests.clips import Picture, Recipe, make
from tests.live import barcode, footage
from tests.live.footage import Clip

GOP = 15
CLIP = Clip(seconds=4, rate=GOP, size=(320, 180), ending="ts")


@pytest.fixture(scope="module")
def clip(media: Path) -> Path:
    return footage.make(media, CLIP)


def missed(count: int) -> None:
    """FFmpeg says so, as its RTSP demuxer does."""
    av.logging.log(av.logging.WARNING, "rtsp", f"RTP: missed {count} packets\n")


def spoilt(
    path: Path, before: Callable[[str, int], bool], troubles: Counter[tuple[str, str]]
) -> list[int]:
    """Which pictures are judged damaged; `before` a packet may speak, and False loses it.

    It is told the medium and the packet's number among those of its medium.
    """
    found = []
    with av.open(path) as container:
        video = container.streams.video[0]
        damage = Damage(troubles, exact(video.time_base))
        counts: Counter[str] = Counter()
        for packet in container.demux(video, *container.streams.audio):
            medium = packet.stream.type
            counts[medium] += 1
            if packet.size and not before(medium, counts[medium] - 1):
                continue
            if packet.size:
                damage.arrived(packet)
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame) and damage.spoils(frame):
                    assert frame.pts is not None
                    found.append(round(frame.pts * exact(video.time_base) * GOP))
    first = round(_first_pts(path) * GOP)
    return [number - first for number in found]


def _first_pts(path: Path) -> Fraction:
    with av.open(path) as container:
        [video] = container.streams.video
        return min(p.pts * exact(video.time_base) for p in container.demux(video) if p.pts)


def test_where_nothing_is_missed_nothing_is_damaged(clip: Path) -> None:
    troubles: Counter[tuple[str, str]] = Counter()
    assert spoilt(clip, lambda _medium, _number: True, troubles) == []
    assert not troubles


def test_from_what_was_missed_to_the_next_key_frame_all_is_damaged(clip: Path) -> None:
    def before(medium: str, number: int) -> bool:
        if (medium, number) == ("video", 20):
            missed(3)
        return True

    troubles: Counter[tuple[str, str]] = Counter()
    assert spoilt(clip, before, troubles) == list(range(20, 30))
    assert troubles == {("video", "missing_packets"): 3}


def test_a_key_frame_that_lost_something_heals_nothing(clip: Path) -> None:
    def before(medium: str, number: int) -> bool:
        if medium == "video" and number in (20, 30):
            missed(1)
        return True

    assert spoilt(clip, before, Counter()) == list(range(20, 45))


def test_what_sound_missed_damages_no_picture(clip: Path) -> None:
    def before(medium: str, number: int) -> bool:
        if (medium, number) == ("audio", 40):
            missed(2)
        return True

    troubles: Counter[tuple[str, str]] = Counter()
    assert spoilt(clip, before, troubles) == []
    assert troubles == {("audio", "missing_packets"): 2}


def test_a_picture_that_was_lost_whole_damages_those_after_it_though_sound_is_blamed(
    clip: Path,
) -> None:
    lost: list[int] = []

    def before(medium: str, number: int) -> bool:
        if (medium, number) == ("video", 20):
            lost.append(number)
            return False
        if medium == "audio" and lost:
            missed(lost.pop())
        return True

    troubles: Counter[tuple[str, str]] = Counter()
    assert spoilt(clip, before, troubles) == list(range(21, 30))
    assert troubles == {("audio", "missing_packets"): 20}


def test_a_hole_that_nobody_missed_is_a_camera_that_took_its_time(media: Path) -> None:
    # Without prediction the decoder itself has nothing to complain of.
    path = footage.make(media, Clip(seconds=2, rate=GOP, video="mjpeg", ending="mkv"))
    assert spoilt(path, lambda medium, number: (medium, number) != ("video", 20), Counter()) == []


def test_a_stream_hears_what_is_said_in_its_own_thread(clip: Path) -> None:
    def before(medium: str, number: int) -> bool:
        if (medium, number) == ("video", 20):
            other = threading.Thread(target=missed, args=(5,))
            other.start()
            other.join()
        return True

    troubles: Counter[tuple[str, str]] = Counter()
    assert spoilt(clip, before, troubles) == []
    assert not troubles


def test_reordered_pictures_of_before_the_key_frame_are_damaged_too(tmp_path: Path) -> None:
    path = tmp_path / "reordered.ts"
    write(path, frames=60, gop=GOP, b_frames=2)

    def before(medium: str, number: int) -> bool:
        if number == 20:
            missed(1)
        return True

    damaged = spoilt(path, before, Counter())
    assert damaged == sorted(damaged)
    assert damaged[-1] == 29
    assert 18 <= damaged[0] <= 22


def test_a_stream_without_key_frames_is_whole_again_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "refreshed.ts"
    seconds = HEALS_S + 10
    write(path, frames=seconds * GOP, gop=10_000, b_frames=0)

    def before(_medium: str, number: int) -> bool:
        if number == GOP:
            missed(1)
        return True

    damaged = spoilt(path, before, Counter())
    assert damaged[0] == pytest.approx(GOP, abs=1)
    assert damaged[-1] == pytest.approx((1 + HEALS_S) * GOP, abs=1)


def test_damaged_pictures_are_left_out_counted_and_a_gap(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.ts"
    data = clip.read_bytes()
    middle = len(data) // 2 // 188 * 188
    broken.write_bytes(data[:middle] + data[middle + 3 * 188 :])
    plan = OpenPlan(str(broken), "broken", "mpegts", "mpegts", {}, "file", None)
    with Decoder(plan, media={"video"}) as decoder:
        items = list(decoder.items())
        troubles = decoder.troubles
    frames = [item for item in items if isinstance(item, Frame)]
    gaps = [item for item in items if isinstance(item, Gap)]
    images = [frame.pixels.rgb(320, 180) for frame in frames]
    assert all(barcode.is_whole(image) for image in images)
    assert 1 <= troubles["video", "damaged_frames"] < GOP
    assert len(frames) + troubles["video", "damaged_frames"] in (CLIP.frames - 1, CLIP.frames)
    assert [gap.reason for gap in gaps] == ["packets were lost: pictures are damaged"]
    assert gaps[0].span.end in {frame.span.start for frame in frames}
    assert 0 < gaps[0].span.duration < 1


def write(path: Path, *, frames: int, gop: int, b_frames: int) -> None:
    """Noise that moves, so that every picture needs the others."""
    random = np.random.default_rng(3)
    field = random.integers(0, 255, (96, 160), dtype=np.uint8)
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("libx264", rate=GOP)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.options = {
            "preset": "ultrafast",
            "x264-params": "scenecut=0:b-adapt=0",
        }
        for packet in _encoded(stream, field, frames):
            container.mux(packet)


def _encoded(stream: Any, field: Any, frames: int) -> Iterator[Packet[Any]]:
    for number in range(frames):
        left, top = number % 90, number % 40
        gray = np.ascontiguousarray(field[top : top + 48, left : left + 64])
        frame = av.VideoFrame.from_ndarray(np.stack([gray] * 3, axis=2), "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, GOP)
        yield from stream.encode(frame.reformat(format="yuv420p"))
    yield from stream.encode(None)


def test_how_long_a_picture_claims_to_be_shown_is_not_believed_on_its_way(tmp_path: Path) -> None:
    times = tuple(Fraction(n, 25) for n in (0, 1, 2, 125, 126))
    film = make(tmp_path, Recipe(picture=Picture(times=times), sound=None))
    ends = []
    kinds: tuple[Kind, ...] = ("file", "rtmp")
    for kind in kinds:
        plan = OpenPlan(str(film), str(film), kind, None, {}, "file", None)
        with Decoder(plan, media={"video"}) as decoder:
            ends.append([item.span.end for item in decoder.items() if isinstance(item, Gap)])
    assert ends == [[], [5]]
