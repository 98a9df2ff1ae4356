"""Damaged files by the hundred: each ends in exactly one record, quickly, and harms no other."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import clips
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import plain_job, records, run_local

pytestmark = pytest.mark.slow

COUNT = 1000 if FULL else 60
MOST_S = 10.0
FORMS = (
    ("mp4", "libx264", "aac"),
    ("mkv", "libx264", "aac"),
    ("ts", "libx264", "aac"),
    ("avi", "mpeg4", "mp3"),
    ("webm", "libvpx", "libopus"),
    ("mov", "mjpeg", "pcm_s16le"),
    ("wav", None, "pcm_s16le"),
    ("ogg", None, "libopus"),
)


def test_every_damaged_file_has_one_record(tmp_path: Path) -> None:
    sources = made(tmp_path / "whole")
    folder = tmp_path / "damaged"
    folder.mkdir()
    chosen = random.Random(1)
    for number in range(COUNT):
        source = sources[number % len(sources)]
        damaged = damage(source.read_bytes(), chosen)
        (folder / f"{number:04}{source.suffix}").write_bytes(damaged)
    job = plain_job(tmp_path / "results", stall_s=MOST_S)
    heard = run_local(job, folder)
    slowest = max(heard, key=lambda outcome: outcome.seconds)
    known = list(records(job))
    states = Counter(record["state"] for record in known)
    failed = failures(tmp_path / "results")
    kinds = Counter(kind for kinds in failed.values() for kind in kinds)
    figures = {"files": COUNT, "states": states, "kinds": kinds, "slowest_s": slowest.seconds}
    report("batch_corruption", figures)
    assert sorted(record["source"] for record in known) == sorted(f.name for f in folder.iterdir())
    assert set(states) <= {"done", "partial", "failed"}
    for record in known:
        assert (record["state"] == "done") != (record["source"] in failed), record
    assert not {"hung", "worker_lost", "error", "timeout"} & set(kinds), kinds
    assert slowest.seconds < MOST_S, slowest


def made(folder: Path) -> list[Path]:
    """A small file of each form."""
    paths = []
    for ending, video, sound in FORMS:
        picture = clips.at_rate(Fraction(10), 2)
        rate = 16_000 if sound == "pcm_s16le" else 48_000
        recipe = clips.Recipe(
            ending,
            None
            if video is None
            else clips.Picture(
                video,
                picture.times,
                picture.rate,
                pixel_format="yuvj420p" if video == "mjpeg" else "yuv420p",
                time_base=Fraction(1, 10) if video != "libx264" else Fraction(1, 90_000),
            ),
            clips.Sound(sound, rate),
        )
        paths.append(clips.make(folder, recipe))
    return paths


def damage(data: bytes, chosen: random.Random) -> bytes:
    """Flipped bytes, an end that is missing, a piece that is missing, or all of these."""
    kind = chosen.choice(("flips", "cut", "drop", "all"))
    damaged = bytearray(data)
    if kind in ("flips", "all"):
        for _ in range(chosen.choice((1, 5, 50, 500))):
            damaged[chosen.randrange(len(damaged))] ^= chosen.randrange(1, 256)
    if kind in ("drop", "all"):
        first = chosen.randrange(len(damaged))
        del damaged[first : first + chosen.randrange(1, len(damaged) // 3)]
    if kind in ("cut", "all"):
        del damaged[chosen.randrange(len(damaged)) :]
    return bytes(damaged)


def failures(results: Path) -> dict[str, list[str]]:
    """The kinds of failure of each video that has any."""
    found: dict[str, list[str]] = {}
    for path in (results / "failures").rglob("*.parquet"):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            found.setdefault(row["source"], []).append(row["kind"])
    return found
