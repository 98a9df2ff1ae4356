"""Size, rate and sound change behind one address: decoders are rebuilt, the process stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from pipeline.run.live.tended import StreamStatus
from tests.live import footage
from tests.live.conftest import Footage
from tests.live.courses import Course, after, follow
from tests.live.footage import Clip
from tests.live.senders import Sender, free_port
from tests.live.servers import RtspServer
from tests.live.watching import Left, Watching, report

pytestmark = pytest.mark.slow

Shoot = Callable[[Clip], Footage]
BIG = Clip(seconds=32, size=(320, 180))
SMALL = Clip(
    seconds=32, rate=10, size=(192, 108), sound="pcm_mulaw", ending="mov", first_number=2000
)
SMALL_AAC = Clip(seconds=32, rate=10, size=(192, 108), first_number=4000)
MUTE = Clip(seconds=32, sound=None, size=(320, 180), first_number=6000)
MP2 = Clip(seconds=32, sound="mp2", size=(192, 108), ending="ts", first_number=8000)
PHASE_S = 5.0


def test_size_rate_sound_and_codec_change_behind_an_address(shoot: Shoot, tmp_path: Path) -> None:
    films = {clip: shoot(clip) for clip in (BIG, SMALL, SMALL_AAC, MUTE)}
    mounts = {"/a": {"feed": films[BIG].feed}}
    with (
        RtspServer(dict(mounts)) as one,
        # Replacing drops every client of a server.
        RtspServer(dict(mounts)) as other,
        Watching(tmp_path, in_flight=30) as watching,
    ):
        watching.add("swapped", one.url("/a"))
        watching.add("replaced", other.url("/a"))
        follow(
            watching,
            # Size and rate change within a session; sound and codec behind the address.
            changing(watching, "swapped", one.swap, [films[SMALL_AAC], films[BIG]]),
            changing(watching, "replaced", other.replace, [films[SMALL], films[MUTE], films[BIG]]),
        )
        statuses = {status.name: status for status in watching.supervisor.statuses()}
        watching.end()
    check_swapped(watching.of("swapped"), statuses["swapped"])
    check_replaced(watching.of("replaced"), statuses["replaced"])


def changing(
    watching: Watching, name: str, change: Callable[[str, Path], None], films: Sequence[Footage]
) -> Course:
    """One film after the other behind a stream's address, under the eyes of one reader."""
    yield watching.plays(name)
    reader = watching.reader(name)
    yield after(PHASE_S)
    for film in films:
        change("/a", film.feed)
        yield after(PHASE_S)
    assert watching.reader(name) == reader


def check_swapped(left: Left, status: StreamStatus) -> None:
    told = check(left, [BIG, SMALL_AAC, BIG])
    report("changes_in_session", {"connections": status.connections, "frames": told})
    assert (status.connections, status.restarts) == (1, 0)
    assert not left.unread


def check_replaced(left: Left, status: StreamStatus) -> None:
    clips = [BIG, SMALL, MUTE, BIG]
    told = check(left, clips)
    report("changes_behind_address", {"connections": status.connections, "frames": told})
    assert (status.connections, status.restarts) == (len(clips), 0)
    assert status.audio == "aac 48000 Hz"
    heard = [second for second, _ in left.tones]
    # Sound was there in three of four phases, two of them with five tones or so.
    assert len(heard) >= 3 * (PHASE_S - 2)


def test_a_program_of_mpegts_changes(media: Path, tmp_path: Path) -> None:
    # Whoever opens such a stream waits for its next key frame: that is not ours to shorten.
    clips = [replace(clip, gop_s=0.4) for clip in (BIG, MP2, MUTE)]
    url = f"udp://127.0.0.1:{free_port()}"
    epoch = time.time()
    with Watching(tmp_path) as watching:
        watching.add("yard", LiveAddress("mpegts", url))
        for number, clip in enumerate(clips):
            path = footage.make(media, clip)
            with Sender(path, url, "mpegts", epoch=epoch, seconds=clip.seconds):
                if not number:
                    watching.until(watching.plays("yard"))
                    reader = watching.pids("reader")
                # Long enough to notice that sound of another codec cannot be decoded.
                watching.run_for(2 * PHASE_S)
        assert watching.pids("reader") == reader
        status = watching.status("yard")
        watching.end()
    left = watching.of("yard")
    # Opened anew for the sound, twice at most, with less than a second lost each time.
    told = check(left, clips, holes=1)
    report("changes_mpegts", {"connections": status.connections, "frames": told})
    assert status.restarts == 0
    assert 2 <= status.connections <= 3
    heard = [start for _, start in left.tones]
    assert sum(start < 2 * PHASE_S for start in heard) >= PHASE_S
    assert sum(start > 2 * PHASE_S for start in heard) >= PHASE_S - 2


def check(left: Left, clips: Sequence[Clip], holes: int = 0) -> list[int]:
    """How many frames of each phase were analysed, in order; fails at more holes in one of them."""
    left.check_books()
    phases: list[tuple[Clip, list[int]]] = []
    for seen in left.numbers:
        clip = next(c for c in clips if 0 <= seen.number - c.first_number < c.frames)
        if not phases or phases[-1][0] != clip:
            phases.append((clip, []))
        phases[-1][1].append(seen.number)
    assert [clip for clip, _ in phases] == list(clips)
    for clip, numbers in phases:
        # The last frames of a sender that is killed may be cut off.
        steps = [(b - a) % clip.frames for a, b in pairwise(numbers[:-3])]
        assert sum(step != 1 for step in steps) <= holes, (clip, steps)
        assert max(steps) <= clip.rate, (clip, steps)
        assert len(numbers) >= (PHASE_S - 2) * clip.rate, (clip, len(numbers))
    assert max(seen.end_s - seen.start_s for seen in left.numbers) <= 0.2
    return [len(numbers) for _, numbers in phases]
