"""What a scan leaves out is still counted; what it decodes is what decoding all would give."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.media.decode import Decoder
from pipeline.media.gops import MOST_PACKETS, GopRow, Rows
from pipeline.media.scan import Gop, ScanSettings, Verdict
from pipeline.records import AudioChunk, Frame, Gap, Item, Skipped, Span
from tests.clips import Picture, Recipe, Sound, make, read_bar_code

RATE, GOP, GOPS, SIZE = 25, 10, 36, (160, 120)
ACTIVE = (14, 15, 16, 27)


@dataclass(frozen=True)
class Codec:
    name: str
    ending: str
    options: tuple[tuple[str, str], ...] = ()
    b_frames: int = 0


CODECS = [
    Codec("libx264", "mp4", (("preset", "veryfast"), ("crf", "23"))),
    Codec("libx264", "ts", (("preset", "veryfast"), ("crf", "23")), b_frames=2),
    Codec("libx264", "mkv", (("preset", "veryfast"), ("x264-params", "open-gop=1")), b_frames=2),
    Codec("libx265", "mkv", (("preset", "ultrafast"), ("x265-params", "log-level=none:pools=1"))),
    Codec("mpeg4", "avi", (("qscale", "6"), ("flags", "+qscale"))),
    Codec("libsvtav1", "mp4", (("preset", "12"), ("crf", "40"), ("svtav1-params", "lp=1"))),
]


def film(folder: Path, codec: Codec, active: tuple[int, ...] = ACTIVE, pan: int = 0) -> Path:
    """A noisy still picture; through these groups goes a bright thing."""
    path = folder / f"{abs(hash((codec, active, pan)))}.{codec.ending}"
    if path.exists():
        return path
    draw = np.random.default_rng(0)
    grains = [draw.normal(0, 4, (120, 160)).astype(np.float32) for _ in range(9)]
    scene = np.kron(draw.integers(60, 180, (12, 16)), np.ones((10, 10))).astype(np.float32)
    with av.open(path, "w") as container:
        stream: Any = container.add_stream(codec.name, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = GOP, codec.b_frames
        stream.codec_context.options = dict(codec.options)
        for number in range(GOPS * GOP):
            grain = np.roll(grains[draw.integers(9)], draw.integers(120), axis=0)
            picture = np.roll(scene, number * pan, axis=1) + grain
            if number // GOP in active:
                left = 10 + 3 * (number % (3 * GOP))
                picture[40:80, left : left + 20] = 240
            grey = np.clip(picture, 0, 255).astype(np.uint8)
            image = np.repeat(grey[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def scanned(path: Path, **settings: Any) -> tuple[list[Item], tuple[GopRow, ...]]:
    with Decoder(str(path), scan=ScanSettings(**settings)) as decoder:
        return list(decoder.items()), decoder.scanned


def plain(path: Path) -> list[Item]:
    with Decoder(str(path)) as decoder:
        return list(decoder.items())


def frames(items: list[Item]) -> dict[Fraction, Frame]:
    return {item.span.start: item for item in items if isinstance(item, Frame)}


def shown(items: list[Item]) -> int:
    return sum(
        item.frames if isinstance(item, Skipped) else 1
        for item in items
        if isinstance(item, Frame | Skipped)
    )


# One of them is looked at each time, the others where there is more time.
EACH = pytest.mark.parametrize(
    "codec",
    [pytest.param(codec, marks=[pytest.mark.slow] if n else []) for n, codec in enumerate(CODECS)],
    ids=lambda codec: f"{codec.name}-{codec.ending}",
)


@EACH
def test_active_groups_are_decoded_and_quiet_ones_are_not(clips: Path, codec: Codec) -> None:
    path = film(clips, codec)
    items, rows = scanned(path)
    whole = frames(plain(path))
    found = frames(items)
    length = Fraction(GOP, RATE)
    begin = min(whole)
    for number in ACTIVE:
        inside = [t for t in whole if number * length <= t - begin < (number + 1) * length]
        assert set(inside) <= set(found), number
    assert len(found) < 0.6 * len(whole)
    assert sum(row.frames for row in rows) == shown(items) == len(whole)
    assert sum(row.gops for row in rows) == GOPS
    assert {row.reason for row in rows} >= {"calibrating", "quiet"}


@EACH
def test_what_is_decoded_is_what_decoding_all_gives(clips: Path, codec: Codec) -> None:
    path = film(clips, codec)
    whole = frames(plain(path))
    items, _ = scanned(path)
    for time, frame in frames(items).items():
        other = whole[time]
        assert frame.index == other.index
        assert frame.span == other.span
        assert (frame.pixels.rgb(*SIZE) == other.pixels.rgb(*SIZE)).all(), time
    spans = [item.span for item in items if isinstance(item, Frame | Skipped)]
    assert all(one.end == other.start for one, other in pairwise(spans))
    assert spans[-1].end == max(frame.span.end for frame in whole.values())


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "avi", "flv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_key_frames_alone(clips: Path, ending: str, b_frames: int) -> None:
    base = Fraction(1, 25) if ending == "avi" else Fraction(1, 90_000)
    path = make(clips, Recipe(ending, Picture(b_frames=b_frames, time_base=base), None))
    items, rows = scanned(path, kind="keyframes")
    whole, found = frames(plain(path)), frames(items)
    seen = [read_bar_code(frame.pixels.rgb(96, 64)) for frame in found.values()]
    assert seen == [0, 10, 20, 30, 40]
    assert [frame.span for frame in found.values()] == [whole[time].span for time in found]
    assert shown(items) == 50
    assert [(row.fate, row.reason, row.gops, row.decoded) for row in rows] == [
        ("key", "keyframes", 5, 5)
    ]


def test_sound_is_never_left_out(clips: Path) -> None:
    path = make(clips, Recipe("mkv", Picture(), Sound()))
    items, _ = scanned(path, kind="keyframes")

    def heard(one: list[Item]) -> list[tuple[Fraction, int, int]]:
        return [
            (item.origin, item.first_sample, item.samples.shape[1])
            for item in one
            if isinstance(item, AudioChunk)
        ]

    assert heard(items) == heard(plain(path))


def test_a_moving_camera_is_decoded_whole(clips: Path) -> None:
    items, rows = scanned(film(clips, CODECS[0], active=(), pan=1))
    assert not [item for item in items if isinstance(item, Skipped)]
    assert {row.reason for row in rows} == {"calibrating", "always_active"}


def test_a_codec_of_key_frames_alone_is_decoded_whole(clips: Path) -> None:
    picture = Picture(codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 25))
    items, rows = scanned(make(clips, Recipe("mov", picture, None)))
    assert len(frames(items)) == 50
    assert [(row.reason, row.gops) for row in rows] == [("intra_only", 50)]


def test_what_fills_up_a_rate_is_recognised(clips: Path) -> None:
    rate = "nal-hrd=cbr:bitrate=4000:vbv-maxrate=4000:vbv-bufsize=2000"
    codec = Codec("libx264", "ts", (("preset", "ultrafast"), ("x264-params", rate)))
    items, rows = scanned(film(clips, codec, active=()))
    assert not [item for item in items if isinstance(item, Skipped)]
    assert "constant_bit_rate" in {row.reason for row in rows}


def test_a_group_without_an_end_is_not_held(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.gops.MOST_PACKETS", 20)
    path = make(clips, Recipe("mp4", Picture(gop=50), Sound()))
    items, rows = scanned(path)
    assert [(row.reason, row.frames, row.decoded) for row in rows] == [("too_long", 50, 50)]
    assert len(frames(items)) == 50
    assert MOST_PACKETS > 1000


def test_where_something_was_heard_all_is_decoded(clips: Path) -> None:
    path = film(clips, CODECS[0])
    wake = (Span(Fraction(41, 5), Fraction(43, 5)),)
    _, rows = scanned(path, wake=wake)
    told = [row for row in rows if row.reason == "sound_event"]
    assert [(row.fate, row.span) for row in told] == [("all", Span(Fraction(8), Fraction(44, 5)))]


def test_audited_groups_are_told_one_by_one(clips: Path) -> None:
    path = film(clips, CODECS[0])
    _, plain_rows = scanned(path)
    _, rows = scanned(path, audit=0.5, seed=3)
    audited = [row for row in rows if row.reason == "audit"]
    quiet = sum(row.gops for row in plain_rows if row.fate == "none")
    assert 0.2 * quiet < len(audited) < 0.8 * quiet
    assert all((row.gops, row.fate, row.decoded) == (1, "all", GOP) for row in audited)
    assert scanned(path, audit=0.5, seed=3)[1] == rows
    assert scanned(path, audit=0.5, seed=4)[1] != rows


def test_media_without_pictures_have_nothing_to_scan(clips: Path) -> None:
    path = make(clips, Recipe("wav", None, Sound("pcm_s16le")))
    items, rows = scanned(path)
    assert rows == ()
    assert {type(item) for item in items} == {AudioChunk}


def test_a_reset_in_the_middle_is_told(clips: Path, tmp_path: Path) -> None:
    once = film(clips, CODECS[1])
    path = tmp_path / "twice.ts"
    path.write_bytes(once.read_bytes() * 2)
    items, rows = scanned(path)
    assert shown(items) == 2 * GOPS * GOP
    assert [item.medium for item in items if isinstance(item, Gap)] == ["video"]
    assert sum(row.gops for row in rows) == 2 * GOPS


def test_runs_beyond_the_bound_are_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.gops.MOST_ROWS", 3)
    rows = Rows()
    for number in range(10):
        span = Span(Fraction(number), Fraction(number + 1))
        fate, reason = ("all", "active") if number % 2 else ("none", "quiet")
        rows.add(Verdict(number, fate, reason, 1.0), Gop(span, 25, 1000))  # type: ignore[arg-type]
    assert [(row.reason, row.gops) for row in rows.told] == [
        ("quiet", 1),
        ("active", 1),
        ("quiet", 1),
        ("active", 4),
        ("quiet", 3),
    ]
    assert sum(row.frames for row in rows.told) == 250
