"""One clip in many formats: the same events in all of them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.testing import brightness_lane, loudness_lane
from tests import clips
from tests.live.watching import report
from tests.pipeline.batch.jobs import plain_job, run_local, states

pytestmark = pytest.mark.slow

RATE = Fraction(25)
SECONDS = 2
FRAME_S, SOUND_S = 0.041, 0.08
"""How much a picture's and a sound's time may differ: by a frame, by a packet's padding."""
FORMS = (
    ("mp4", "libx264", "aac"),
    ("mov", "libx264", "pcm_s16le"),
    ("mkv", "libx264", "flac"),
    ("ts", "libx264", "aac"),
    ("m2ts", "libx264", "ac3"),
    ("flv", "libx264", "aac"),
    ("3gp", "libx264", "aac"),
    ("m4v", "mpeg4", "aac"),
    ("mp4", "libx265", "aac"),
    ("mkv", "libsvtav1", "libopus"),
    ("webm", "libvpx", "libopus"),
    ("webm", "libvpx-vp9", "libopus"),
    ("avi", "mpeg4", "libmp3lame"),
    ("avi", "mjpeg", "pcm_s16le"),
    ("mpg", "mpeg2video", "mp2"),
    ("vob", "mpeg2video", "ac3"),
    ("wmv", "wmv2", "libmp3lame"),
    ("mxf", "mpeg2video", "pcm_s16le"),
    ("nut", "ffv1", "pcm_s16le"),
    ("mkv", "ffv1", "flac"),
    ("mov", "prores_ks", "pcm_s16le"),
    ("mov", "mjpeg", "alac"),
)
PIXELS = {"mjpeg": "yuvj420p", "prores_ks": "yuv422p10le"}


def test_a_clip_gives_the_same_events_in_every_format(media: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for ending, video, sound in FORMS:
        path = clips.make(media, recipe(ending, video, sound))
        (folder / f"{video}_{sound}.{ending}").write_bytes(path.read_bytes())
    job = plain_job(tmp_path / "results", (brightness_lane(rate_hz=25), loudness_lane(hop_s=0.1)))
    run_local(job, folder)
    assert states(job) == {path.name: "done" for path in folder.iterdir()}
    found = {name: events(tmp_path / "results", name) for name in states(job)}
    reference = found["ffv1_flac.mkv"]
    assert len(labels(reference, "brightness")) >= 5
    worst: dict[str, float] = {}
    for name, rows in found.items():
        for lane, tolerance in (("brightness", FRAME_S), ("loudness", SOUND_S)):
            assert labels(rows, lane) == labels(reference, lane), name
            apart = [
                abs(mine["start_s"] - its["start_s"])
                for mine, its in zip(of(rows, lane), of(reference, lane), strict=True)
            ]
            worst[f"{name} {lane}"] = round(max(apart), 4)
            assert max(apart) <= tolerance, (name, lane, json.dumps(worst))
    report("batch_formats", {"formats": len(FORMS), "starts_differ_by_s": worst})


def recipe(ending: str, video: str, sound: str) -> clips.Recipe:
    """The clip in one format."""
    times = tuple(number / RATE for number in range(int(SECONDS * RATE)))
    pixels, base = PIXELS.get(video, "yuv420p"), Fraction(1, 25)
    picture = clips.Picture(
        video, times, RATE, size=(176, 144), pixel_format=pixels, time_base=base
    )
    return clips.Recipe(ending, picture, clips.Sound(sound, 48_000, seconds=Fraction(SECONDS)))


def events(results: Path, source: str) -> list[dict[str, Any]]:
    """The events of a video, in their order."""
    [path] = (results / "events" / f"source={source}").glob("*.parquet")
    rows: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    return sorted(rows, key=lambda row: (row["start_s"], row["label"]))


def of(rows: list[dict[str, Any]], lane: str) -> list[dict[str, Any]]:
    """The events of one lane."""
    return [row for row in rows if row["lane"] == lane]


def labels(rows: list[dict[str, Any]], lane: str) -> list[str]:
    """What one lane found, in its order."""
    return [row["label"] for row in of(rows, lane)]
