"""Hours of video in parts: the bytes of one pass, and no more memory than minutes take."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.testing import brightness_lane, loudness_lane
from tests import clips
from tests.batch.driving import peak
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import divisible, plain_job, tree

pytestmark = pytest.mark.slow

MINUTE = 60
MINUTES = 120 if FULL else 5
MORE_BYTES = 48 << 20
LANES = (divisible(brightness_lane(rate_hz=2)), loudness_lane())


def minutes(folder: Path, count: int) -> Path:
    """A minute of video and sound again and again, without coding it anew."""
    times = tuple(Fraction(number, 5) for number in range(5 * MINUTE))
    picture = clips.Picture(times=times, rate=Fraction(5), gop=50)
    sound = clips.Sound("pcm_s16le", 8000, seconds=Fraction(MINUTE))
    one = clips.make(folder, clips.Recipe("mkv", picture, sound))
    path = folder / f"minutes{count}.mkv"
    with av.open(path, "w") as out:
        with av.open(one) as container:
            added = [out.add_stream_from_template(stream) for stream in container.streams]
        for number in range(count):
            with av.open(one) as container:
                for packet in container.demux():
                    if packet.dts is not None:
                        _later(packet, number * MINUTE)
                        packet.stream = added[packet.stream.index]
                        out.mux(packet)
    one.unlink()
    return path


def _later(packet: Any, seconds: int) -> None:
    packet.pts += int(seconds / packet.time_base)
    packet.dts += int(seconds / packet.time_base)


def test_hours_in_parts_are_the_bytes_of_one_pass(tmp_path: Path) -> None:
    long, short = minutes(tmp_path, MINUTES), minutes(tmp_path, 1)
    of_short = peak(plain_job(tmp_path / "short", LANES, segment_s=Fraction(MINUTE)), short)
    parts = plain_job(tmp_path / "parts", LANES, segment_s=Fraction(MINUTE))
    in_parts = peak(parts, long, workers=2)
    in_one = peak(plain_job(tmp_path / "one", LANES, segment_s=Fraction(360_000)), long)
    figures = {
        "minutes": MINUTES,
        "worker_mb_of_a_minute": of_short >> 20,
        "worker_mb_in_parts": in_parts >> 20,
        "worker_mb_in_one_pass": in_one >> 20,
    }
    report("batch_long", figures)
    assert tree(tmp_path / "parts") == tree(tmp_path / "one")
    assert max(in_parts, in_one) < of_short + MORE_BYTES, figures
