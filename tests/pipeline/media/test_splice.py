"""Where connections begin, by their own packets: what came before, the clock, files end to end."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet

from pipeline.media.address import Kind, LiveAddress
from pipeline.media.anchor import Anchor
from pipeline.media.opening import exact
from pipeline.media.probe import probe
from pipeline.media.retold import content_of
from pipeline.media.splice import EARLY_S, PLAYLIST_S, RETOLD_S, Splice
from pipeline.records import StreamInfo
from tests.clips import Recipe, make

CAMERA = LiveAddress("rtsp", "rtsp://10.0.0.4/main")
BEGIN, REACHED = Fraction(30), Fraction(20)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("splice"), Recipe(ending="ts"))


@pytest.fixture(scope="module")
def both(clip: Path) -> StreamInfo:
    return probe(str(clip))


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> StreamInfo:
    film = make(tmp_path_factory.mktemp("sound"), Recipe(ending="ts", picture=None))
    return probe(str(film))


@pytest.fixture
def packets(clip: Path) -> Iterator[list[Packet[Any]]]:
    """Packets of the clip, while its file is open."""
    with av.open(clip) as container:
        yield [packet for packet in container.demux() if packet.size]


@pytest.fixture
def picture(packets: list[Packet[Any]]) -> Packet[Any]:
    """The clip's first key frame."""
    return next(one for one in packets if one.stream.type == "video" and one.is_keyframe)


@pytest.fixture
def sound(packets: list[Packet[Any]]) -> Packet[Any]:
    """A packet of the clip's sound with enough in it to be recognised by."""
    return next(one for one in packets if one.stream.type == "audio" and content_of(bytes(one)))


def time_of(packet: Packet[Any]) -> Fraction:
    assert packet.pts is not None
    return packet.pts * exact(packet.time_base)


def spliced(address: LiveAddress, info: StreamInfo, connections: int = 1) -> Splice:
    """One whose latest connection is at its first packet."""
    splice = Splice(address)
    for _ in range(connections):
        splice.connected(info)
    return splice


def begin_of(splice: Splice, packet: Packet[Any], reached: Fraction = REACHED) -> Fraction:
    """Where a connection that begins with the packet is said to begin."""
    anchor = Anchor(time_of(packet))
    splice.place(packet, anchor, BEGIN, reached)
    return anchor.begin


def test_what_never_came_before_begins_where_the_clock_says(
    both: StreamInfo, picture: Packet[Any]
) -> None:
    splice, anchor = spliced(CAMERA, both), Anchor(time_of(picture) - 2)
    assert not splice.placed
    splice.place(picture, anchor, BEGIN, REACHED)
    assert splice.placed
    assert anchor.shifts == [BEGIN - time_of(picture) + 2]  # its other medium may begin before it
    splice.connected(both)
    assert not splice.placed


def test_a_key_frame_that_came_before_tells_where_it_begins(
    both: StreamInfo, picture: Packet[Any]
) -> None:
    first = spliced(CAMERA, both)
    first.remember(picture, Fraction(19))
    splice, anchor = Splice(CAMERA, first.known), Anchor(time_of(picture) - 2)
    splice.connected(both)
    splice.place(picture, anchor, BEGIN, REACHED)
    assert anchor.begin == 19
    assert anchor.shifts == [19 - time_of(picture)]


def test_a_key_frame_of_a_time_that_was_not_reached_tells_nothing(
    both: StreamInfo, picture: Packet[Any]
) -> None:
    splice = spliced(CAMERA, both)
    splice.remember(picture, REACHED + 1)
    assert begin_of(splice, picture) == BEGIN


@pytest.mark.parametrize(("kind", "back_s"), [("rtsp", RETOLD_S), ("hls", PLAYLIST_S)])
def test_a_playlist_may_begin_further_back_than_a_camera(
    both: StreamInfo, picture: Packet[Any], kind: Kind, back_s: int
) -> None:
    for ago_s, begins in ((back_s, Fraction(0)), (back_s + 1, BEGIN)):
        splice = spliced(LiveAddress(kind, CAMERA.url), both)
        splice.remember(picture, Fraction(0))
        assert begin_of(splice, picture, Fraction(ago_s)) == begins


def test_a_first_packet_without_a_time_lies_before_all_others(
    both: StreamInfo, picture: Packet[Any]
) -> None:
    start = picture.stream.start_time
    assert start is not None
    picture.pts, picture.dts, picture.duration = None, None, 3600
    tick_s = exact(picture.time_base)
    anchor = Anchor(start * tick_s)
    spliced(CAMERA, both).place(picture, anchor, BEGIN, REACHED)
    assert anchor.shifts == [BEGIN - (start - 3600) * tick_s]


def test_sound_waits_a_moment_for_a_picture_that_may_be_known(
    both: StreamInfo, picture: Packet[Any], sound: Packet[Any]
) -> None:
    splice = spliced(CAMERA, both)
    assert not splice.early(sound, 100.0)  # no picture is known
    splice.remember(picture, Fraction(19))
    waits = [splice.early(sound, 100.0 + after_s) for after_s in (0.0, 0.9 * EARLY_S, EARLY_S)]
    assert waits == [True, True, False]
    assert not splice.early(picture, 100.0)
    splice.connected(both)
    assert splice.early(sound, 200.0)


def test_sound_by_itself_tells_where_it_begins(
    both: StreamInfo, heard: StreamInfo, sound: Packet[Any]
) -> None:
    beside, alone = spliced(CAMERA, both), spliced(CAMERA, heard)
    for splice in (beside, alone):
        splice.remember(sound, Fraction(19))
    assert not beside.known
    assert not alone.early(sound, 100.0)
    assert begin_of(alone, sound) == 19


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_files_tell_nothing_by_their_content(
    both: StreamInfo, picture: Packet[Any], kind: Kind
) -> None:
    splice = spliced(LiveAddress(kind, "recorder"), both)
    splice.remember(picture, Fraction(19))
    assert not splice.known


@pytest.mark.parametrize(
    ("loop", "connections", "begins"),
    [(True, 1, BEGIN), (True, 2, REACHED), (False, 2, BEGIN)],
    ids=["first turn", "next turn", "no turns"],
)
def test_a_turn_of_a_file_follows_the_one_before(
    both: StreamInfo, picture: Packet[Any], *, loop: bool, connections: int, begins: Fraction
) -> None:
    address = LiveAddress("file", "clip.ts", loop=loop)
    assert begin_of(spliced(address, both, connections), picture) == begins


def test_a_recorders_file_follows_the_one_before_unless_it_was_away(
    both: StreamInfo, picture: Packet[Any]
) -> None:
    ahead_s = float(BEGIN - REACHED)
    for stall_s, begins in ((ahead_s + 1, REACHED), (ahead_s, BEGIN)):
        address = LiveAddress("folder", "recorder", stall_s=stall_s)
        assert begin_of(spliced(address, both), picture) == begins
