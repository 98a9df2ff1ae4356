"""Videos that could fill a worker: huge pictures, one endless group, streams by thousands."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.media.scan import ScanSettings
from pipeline.testing import brightness_lane, loudness_lane
from tests import clips
from tests.batch.driving import peak
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import divisible, plain_job, records

pytestmark = pytest.mark.slow

LANES = (divisible(brightness_lane(rate_hz=2)), loudness_lane())
SECONDS = 600 if FULL else 120
LARGE_BYTES = 500 << 20
"""More than a small video takes: x264 keeps 16 pictures of 3840x2160, of 12 MB each."""
MORE_BYTES = 48 << 20
PROGRAMS, OF_EACH = 50, 190


def film(folder: Path, picture: clips.Picture) -> Path:
    """A film with a little sound."""
    folder.mkdir()
    return clips.make(folder, clips.Recipe("mkv", picture, clips.Sound("pcm_s16le", 8000)))


def endless_group(folder: Path) -> Path:
    """Minutes of pictures with one key frame, the first."""
    times = tuple(Fraction(number, 25) for number in range(25 * SECONDS))
    return film(folder, clips.Picture(times=times, gop=len(times) + 1))


def large_pictures(folder: Path) -> Path:
    """Some seconds of 4K."""
    times = tuple(Fraction(number, 25) for number in range(100 if FULL else 25))
    return film(folder, clips.Picture(times=times, size=(3840, 2160), b_frames=2, gop=50))


def thousands_of_streams(folder: Path) -> Path:
    """A transport stream whose tables name 9,500 streams, more than it has numbers for."""
    programs = [struct.pack(">HH", 1 + n, 0xE000 | (32 + n)) for n in range(PROGRAMS)]
    told = _packets(0, _section(0, 1, b"".join(programs)))
    for number in range(PROGRAMS):
        first = 100 + number * OF_EACH
        numbers = [(first + n) % 8000 for n in range(OF_EACH)]
        streams = [struct.pack(">BHH", 0x1B, 0xE000 | pid, 0xF000) for pid in numbers]
        told += _packets(
            32 + number, _section(2, 1 + number, b"\xe0\x64\xf0\x00" + b"".join(streams))
        )
    folder.mkdir()
    path = folder / "many.ts"
    path.write_bytes(told * 3)
    return path


def test_no_video_fills_a_worker(tmp_path: Path) -> None:
    small = film(tmp_path / "small", clips.Picture())
    of_small = peak(plain_job(tmp_path / "a", LANES), small)
    of_large = peak(plain_job(tmp_path / "b", LANES), large_pictures(tmp_path / "large"))
    endless = endless_group(tmp_path / "endless")
    of_endless = peak(plain_job(tmp_path / "c", LANES, scan=ScanSettings()), endless)
    many = plain_job(tmp_path / "d", LANES)
    of_many = peak(many, thousands_of_streams(tmp_path / "many"))
    figures = {
        "worker_mb_of_a_small_video": of_small >> 20,
        "worker_mb_of_4k": of_large >> 20,
        "worker_mb_of_one_endless_group": of_endless >> 20,
        "worker_mb_of_9500_streams": of_many >> 20,
    }
    report("batch_memory", figures)
    assert of_large < of_small + LARGE_BYTES, figures
    assert max(of_endless, of_many) < of_small + MORE_BYTES, figures
    [record] = records(many)
    assert record["state"] == "failed"
    assert "more than 128 streams" in record["error"]
    for done in ("a", "b", "c"):
        assert [one["state"] for one in records(plain_job(tmp_path / done, LANES))] == ["done"]


def _section(table: int, number: int, body: bytes) -> bytes:
    """A table of a transport stream (ISO/IEC 13818-1, 2.4.4)."""
    length = 0xB000 | (len(body) + 9)
    told = struct.pack(">BHHBBB", table, length, number, 0xC1, 0, 0) + body
    return told + struct.pack(">I", _checksum(told))


def _checksum(data: bytes) -> int:
    """CRC-32 of MPEG-2: not mirrored, and not turned over at the end."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if rest >> 31 else rest << 1
    return rest


def _packets(number: int, section: bytes) -> bytes:
    """A section cut into packets of 188 bytes."""
    data, out = b"\0" + section, b""
    for count, first in enumerate(range(0, len(data), 184)):
        start = 0x4000 if first == 0 else 0
        header = struct.pack(">BHB", 0x47, start | number, 0x10 | count & 15)
        out += header + data[first : first + 184].ljust(184, b"\xff")
    return out
