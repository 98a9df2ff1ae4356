"""A live source that ends, comes back, and is stopped; over real connections and files."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.media.address import LiveAddress
from pipeline.media.live import LiveSource
from pipeline.media.part import Item
from pipeline.media.pulse import Reached
from pipeline.records import AudioChunk, Frame, Gap, Medium
from tests.clips import Picture, Recipe, Sound, at_rate, make

BOTH: tuple[Medium, ...] = ("video", "audio")
ONE = Recipe(ending="ts", picture=at_rate(Fraction(25)))
OTHER = Recipe(ending="ts", picture=Picture(size=(64, 48)), sound=Sound(sample_rate=44_100))
SILENT = Recipe(ending="ts", sound=None)
TS_BYTES, PICTURE_PID, SOUND_PID = 188, 256, 257


@contextmanager
def sender(*files: Path) -> Iterator[LiveAddress]:
    """Sends one file a connection over TCP, then refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for file in files:
                while True:
                    link, _ = server.accept()
                    with link:
                        try:
                            link.sendall(file.read_bytes())
                        except OSError:  # it only knocked
                            continue
                        link.shutdown(socket.SHUT_WR)
                        if link.recv(1) == b"":
                            break
            server.close()

        thread = Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        yield LiveAddress("mpegts", f"tcp://127.0.0.1:{port}")
    thread.join(5)


def read(source: LiveSource, connections: int) -> list[Item]:
    """All that so many connections bring, and the empty gaps at their ends."""
    items: list[Item] = []
    ends = 0
    for item in source.items():
        items.append(item)
        empty = isinstance(item, Gap) and not item.span.duration
        ends += empty and item.medium == "video"
        if ends == connections:
            source.stop()
    return items


def sound_first(film: Path, path: Path, packets: int) -> Path:
    """A copy of an MPEG-TS in which so many of its packets of sound come before any picture."""
    data = film.read_bytes()
    whole = [data[at : at + TS_BYTES] for at in range(0, len(data), TS_BYTES)]
    first = [one for one in whole if pid_of(one) == SOUND_PID][:packets]
    rest = [one for one in whole if one not in first and pid_of(one) in (PICTURE_PID, SOUND_PID)]
    head = [one for one in whole if pid_of(one) not in (PICTURE_PID, SOUND_PID)]
    path.write_bytes(b"".join([*head, *first, *rest]))
    return path


def untimed(film: Path, path: Path) -> Path:
    """A copy of an MPEG-TS whose first picture has no time stamp."""
    data = bytearray(film.read_bytes())
    first = next(
        at for at in range(0, len(data), TS_BYTES) if pid_of(data[at : at + 3]) == PICTURE_PID
    )
    extra = 1 + data[first + 4] if data[first + 3] & 0x20 else 0
    header = data.index(b"\0\0\1", first + 4 + extra)
    stamps = header + 9
    data[header + 7] &= 0x3F  # says that there are none; what was there is filled up
    data[stamps : stamps + data[header + 8]] = b"\xff" * data[header + 8]
    path.write_bytes(data)
    return path


def pid_of(packet: bytes | bytearray) -> int:
    """Which stream of an MPEG-TS a packet belongs to."""
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def media_of(items: list[Item]) -> dict[str, list[Item]]:
    """Frames and chunks by medium, in order."""
    found: dict[str, list[Item]] = {"video": [], "audio": []}
    for item in items:
        if not isinstance(item, Gap):
            found["video" if isinstance(item, Frame) else "audio"].append(item)
    return found


def gaps_of(items: list[Item], medium: Medium) -> list[Gap]:
    """The gaps of a medium that are not empty."""
    return [i for i in items if isinstance(i, Gap) and i.medium == medium and i.span.duration]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("live")
    recipes = {"one": ONE, "other": OTHER, "silent": SILENT}
    return {name: make(folder, recipe) for name, recipe in recipes.items()}


def test_media_time_goes_on_over_an_outage(clips: dict[str, Path]) -> None:
    with sender(clips["one"], clips["other"]) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    media = media_of(items)
    for found in media.values():
        spans = [item.span for item in found if not isinstance(item, Gap)]
        assert all(a.end <= b.start + Fraction(1, 1000) for a, b in pairwise(spans))
    frames = [item for item in media["video"] if isinstance(item, Frame)]
    assert [frame.index for frame in frames] == list(range(100))
    assert {frame.pixels.width for frame in frames} == {96, 64}
    assert source.pulse.connections == 2


def test_frames_know_what_moves_where_that_is_wanted(clips: dict[str, Path]) -> None:
    for vectors in (True, False):
        with sender(clips["one"]) as address:
            items = read(LiveSource(address, "yard", BOTH, vectors=vectors), 1)
        moving = [item.moving for item in items if isinstance(item, Frame)]
        assert any(share is not None for share in moving) == vectors


def test_an_outage_is_a_gap_with_its_reason(clips: dict[str, Path]) -> None:
    with sender(clips["one"], clips["other"]) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    [gap] = gaps_of(items, "video")
    lost_s = [sum(float(g.span.duration) for g in gaps_of(items, medium)) for medium in BOTH]
    assert (source.outages.totals, source.outages.seconds) == ({"ended": 2}, max(lost_s))
    frames = [item for item in media_of(items)["video"] if isinstance(item, Frame)]
    assert (gap.span.start, gap.span.end) == (frames[49].span.end, frames[50].span.start)
    assert "ended" in gap.reason


def test_what_is_told_again_is_not_given_out_again(clips: dict[str, Path]) -> None:
    with sender(clips["one"], clips["one"]) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    assert len(media_of(items)["video"]) == 50
    assert source.troubles["video", "came_twice"] == 50


def test_a_picture_that_comes_again_is_known_behind_a_burst_of_sound(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    again = sound_first(clips["one"], tmp_path / "again.ts", packets=80)
    with sender(clips["one"], again) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    assert len(media_of(items)["video"]) == 50
    assert source.troubles["video", "came_twice"] == 50
    assert not gaps_of(items, "video")


def test_a_first_picture_that_tells_no_time_is_known_when_it_comes_again(tmp_path: Path) -> None:
    start = Picture(times=tuple(Fraction(i, 25) for i in range(9)))  # of one group alone
    film = untimed(make(tmp_path, Recipe(ending="ts", picture=start)), tmp_path / "untimed.ts")
    with sender(film, film) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    assert len(media_of(items)["video"]) == 9
    assert source.troubles["video", "came_twice"] == 9


class Noted(Event):
    """Notes how long it was waited for, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return super().wait(0)


def test_who_breaks_off_again_and_again_but_brings_pictures_is_not_missed_for_long(
    clips: dict[str, Path],
) -> None:
    stopped = Noted()
    with sender(*[clips["one"]] * 8) as address:
        source = LiveSource(address, "yard", BOTH)
        source._stopped = stopped
        read(source, 8)
    assert len(stopped.waits) >= 7
    assert max(stopped.waits) <= 1


def test_a_medium_that_is_gone_does_not_hold_up_the_other(clips: dict[str, Path]) -> None:
    with sender(clips["one"], clips["silent"]) as address:
        source = LiveSource(address, "yard", BOTH)
        items = read(source, 2)
    assert source.info is not None
    assert source.info.media == ("video",)
    assert not gaps_of(items, "audio")


def test_a_reader_goes_on_after_another(clips: dict[str, Path]) -> None:
    with sender(clips["one"]) as address:
        first = LiveSource(address, "yard", BOTH)
        before = read(first, 1)
    reached = first.reached
    with sender(clips["other"]) as address:
        why = "its reader was killed"
        second = LiveSource(address, "yard", BOTH, reached, outage=why, goes_on=True)
        after = read(second, 1)
    assert second.outages.seconds >= float(gaps_of(after, "video")[0].span.duration) > 0
    assert second.pulse.newest_at is not None
    assert abs(time.time() - second.pulse.newest_at) < 60
    assert set(second.decode_s) == set(BOTH)
    assert all(seconds > 0 for seconds in second.decode_s.values())
    ends = {medium: found[-1].span.end for medium, found in media_of(before).items()}
    assert reached.ends == ends
    frames = [item for item in media_of(after)["video"] if isinstance(item, Frame)]
    assert (frames[0].index, frames[0].span.start >= ends["video"]) == (50, True)
    assert {gap.reason for gap in gaps_of(after, "video")} == {"its reader was killed"}


def test_a_weeks_old_stream_goes_on_where_it_was(clips: dict[str, Path]) -> None:
    weeks = Fraction(40 * 24 * 3600)
    with sender(clips["one"]) as address:
        reached = Reached({"video": weeks, "audio": weeks}, 9, None)
        source = LiveSource(address, "yard", BOTH, reached)
        items = read(source, 1)
    assert source.outages.seconds == 0.0  # nobody was watching
    media = media_of(items)
    starts = [found[0].span.start for found in media.values()]
    assert min(starts) == weeks
    assert max(starts) < weeks + Fraction(1, 10)
    assert 1.9 < media["video"][-1].span.end - media["video"][0].span.start <= 2


def test_a_file_that_loops_has_no_outages(clips: dict[str, Path]) -> None:
    source = LiveSource(LiveAddress("file", str(clips["one"]), loop=True), "yard", BOTH)
    chunks: list[AudioChunk] = []
    for item in source.items():
        if isinstance(item, AudioChunk):
            chunks.append(item)
        if source.pulse.connections == 4:
            source.stop()
    assert source.outages.totals == {}
    assert chunks[-1].span.end > 6
    assert all(a.span.end <= b.span.start for a, b in pairwise(chunks))


def test_a_file_ends(clips: dict[str, Path]) -> None:
    source = LiveSource(LiveAddress("file", str(clips["one"])), "yard", BOTH)
    assert len(media_of(list(source.items()))["video"]) == 50
    assert source.pulse.state == "ended"


def test_a_sender_that_is_not_there_is_asked_again_until_it_is_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = LiveSource(LiveAddress("rtsp", f"rtsp://127.0.0.1:{port}/x"), "yard", BOTH)
    thread = Thread(target=list, args=(source.items(),))
    thread.start()
    while source.pulse.attempts < 3:
        thread.join(0.01)
    assert source.pulse.state in ("waiting", "opening")
    assert "is the sender running?" in source.pulse.reason
    source.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.slow
def test_a_recorder_that_is_at_its_next_file_plays_on_and_waits_in_the_end(
    clips: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "recorder"
    folder.mkdir()
    (folder / "1.ts").write_bytes(clips["one"].read_bytes())
    source = LiveSource(LiveAddress("folder", str(folder), stall_s=2), "yard", BOTH)
    pulse = source.pulse
    states: list[tuple[float, str]] = []
    thread = Thread(target=list, args=(source.items(),))
    thread.start()
    until = time.monotonic() + 20
    while time.monotonic() < until and not (pulse.connections and pulse.state == "waiting"):
        if pulse.connections:
            states.append((pulse.silent_s, pulse.state))
        thread.join(0.02)
    reason = pulse.reason
    source.stop()
    thread.join(10)
    assert reason.endswith("no new file yet")
    assert max(silent_s for silent_s, _ in states) < 2
    between = [state for silent_s, state in states if 0.2 < silent_s < 1.4]
    assert len(between) > 20
    assert set(between) == {"playing"}


@pytest.mark.slow
def test_a_recorders_files_follow_one_another(clips: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "recorder"
    folder.mkdir()
    (folder / "1.ts").write_bytes(clips["one"].read_bytes())
    source = LiveSource(LiveAddress("folder", str(folder), stall_s=30), "yard", BOTH)
    frames: list[Frame] = []
    for item in source.items():
        if isinstance(item, Frame):
            frames.append(item)
        if len(frames) == 1:  # a newer file says that an older one is whole
            (folder / "2.ts").write_bytes(clips["other"].read_bytes())
            (folder / "3.ts").write_bytes(b"no video at all" * 100)
            (folder / "4.ts").write_bytes(clips["silent"].read_bytes())
            (folder / "5.ts").write_bytes(clips["silent"].read_bytes())
        if source.pulse.connections == 3 and len(frames) > 140:
            source.stop()
    assert {frame.pixels.width for frame in frames[:50]} == {96}
    assert {frame.pixels.width for frame in frames[50:100]} == {64}
    assert all(a.span.start < b.span.start for a, b in pairwise(frames))
    assert frames[-1].span.end < 7
