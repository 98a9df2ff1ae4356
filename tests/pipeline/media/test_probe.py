"""What a header claims, and names and addresses that are safe to show."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.errors import SourceUnreadable
from pipeline.media.opening import exact, exact_rate, local_path
from pipeline.media.probe import probe, redact, stream_name
from pipeline.records import AudioInfo, VideoInfo
from tests.clips import Picture, Recipe, Sound, at_rate, make


def test_what_the_header_claims(clips: Path) -> None:
    path = make(
        clips, Recipe("mp4", at_rate(Fraction(30_000, 1001)), Sound("aac", 44_100, "stereo"))
    )
    info = probe(str(path), "door")
    assert (info.stream, info.source, info.media) == ("door", str(path), ("video", "audio"))
    assert info.video == VideoInfo(
        codec="h264",
        width=96,
        height=64,
        time_base=Fraction(1, 90_000),
        rate_from_header=Fraction(30_000, 1001),
    )
    assert info.audio == AudioInfo(
        codec="aac",
        sample_rate=44_100,
        channels=2,
        layout="stereo",
        time_base=Fraction(1, 44_100),
    )
    assert info.duration_from_header is not None
    assert abs(info.duration_from_header - 2) < Fraction(1, 20)


def test_one_medium_alone(clips: Path) -> None:
    assert probe(str(make(clips, Recipe("mp4", Picture(), None)))).media == ("video",)
    assert probe(str(make(clips, Recipe("flac", None, Sound("flac"))))).media == ("audio",)


@pytest.mark.parametrize(("rotation", "size"), [(90, (64, 96)), (-90, (64, 96)), (180, (96, 64))])
def test_sizes_are_those_that_are_shown(clips: Path, rotation: int, size: tuple[int, int]) -> None:
    info = probe(str(make(clips, Recipe("mp4", Picture(rotation=rotation), None))))
    assert info.video is not None
    assert (info.video.width, info.video.height) == size
    assert info.video.rotation_degrees == -rotation % 360


def test_a_raw_stream_claims_no_duration(clips: Path) -> None:
    assert probe(str(make(clips, Recipe("h264", Picture(), None)))).duration_from_header is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:s3cret@10.0.0.1:554/live", "rtsp://***@10.0.0.1:554/live"),
        ("rtsp://admin:s3@cret@10.0.0.1/live", "rtsp://***@10.0.0.1/live"),
        (
            "https://host/x.m3u8?user=a&Password=s3cret&b=1",
            "https://host/x.m3u8?user=a&Password=***&b=1",
        ),
        ("http://host/v?access_token=s3cret#t", "http://host/v?access_token=***#t"),
        ("no answer from rtmp://me:s3cret@host/a.", "no answer from rtmp://***@host/a."),
        ("/films/a@b.mp4", "/films/a@b.mp4"),
    ],
)
def test_passwords_are_taken_out(address: str, shown: str) -> None:
    assert redact(address) == shown
    assert "s3" not in redact(address)


def test_a_password_is_in_no_error() -> None:
    with pytest.raises(SourceUnreadable) as caught:
        probe("http://admin:s3cret@127.0.0.1:9/live?token=s3cret", timeout_s=2)
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in repr(error)
        error = error.__cause__ or error.__context__
    assert "http://127.0.0.1:9/live?token=***: no connection" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("films/front door (2).mp4", "front-door-2"),
        ("rtsp://admin:s3cret@10.0.0.1:554/live/1?token=x", "10.0.0.1-live-1"),
        ("http://host/a/b.m3u8", "host-a-b"),
        ("../..", "stream"),
        ("ümlaut.mkv", "mlaut"),
    ],
)
def test_stream_names_are_safe_in_file_names(source: str, name: str) -> None:
    assert stream_name(source) == name


@pytest.mark.parametrize(
    "source", ["concat:a.mp4|b.mp4", "lavfi:testsrc", "data:text,x", "crypto:a.mp4", "async:a.mp4"]
)
def test_only_files_and_known_networks_are_opened(source: str) -> None:
    with pytest.raises(SourceUnreadable, match="cannot open"):
        probe(source)


def test_file_addresses_are_local_paths(clips: Path) -> None:
    path = make(clips, Recipe())
    assert local_path(f"file://{path}") == local_path(f"file:{path}") == path
    assert local_path("rtsp://host/live") is None
    assert probe(f"file:{path}").video is not None


def test_ratios_are_exact() -> None:
    assert exact(Fraction(30_000, 1001)) == Fraction(30_000, 1001)
    assert exact_rate(None) is None
    assert exact_rate(Fraction(0)) is None
