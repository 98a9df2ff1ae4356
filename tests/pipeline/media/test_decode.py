"""Every frame and sample once, in order, at its exact time, whatever holds them."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media.decode import Decoder
from pipeline.media.opening import opened
from pipeline.media.part import Item
from pipeline.records import AudioChunk, Frame, Gap
from tests.clips import Picture, Recipe, Sound, at_rate, bar_code, make, read_bar_code

VFR = tuple(Fraction(n, 1000) for n in (0, 40, 50, 200, 201, 600, 1000, 1040, 1600, 1999))
MS = Fraction(1, 1000)


def items(path: Path, **options: object) -> list[Item]:
    with Decoder(str(path), **options) as decoder:  # type: ignore[arg-type]
        return list(decoder.items())


def frames(found: Iterable[Item]) -> list[Frame]:
    return [item for item in found if isinstance(item, Frame)]


def chunks(found: Iterable[Item]) -> list[AudioChunk]:
    return [item for item in found if isinstance(item, AudioChunk)]


def numbers(found: Iterable[Item]) -> list[int]:
    seen = frames(found)
    return [read_bar_code(one.pixels.rgb(one.pixels.width, one.pixels.height)) for one in seen]


def first_click(found: Iterable[Item]) -> float:
    heard = chunks(found)
    signal = np.concatenate([chunk.samples.mean(axis=0) for chunk in heard])
    loud = int(np.flatnonzero(np.abs(signal) > 0.2)[0])
    return float(heard[0].span.start) + loud / heard[0].sample_rate


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts", "flv"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_frame_comes_once_in_order_until_the_drained_end(
    clips: Path, ending: str, b_frames: int
) -> None:
    found = items(make(clips, Recipe(ending, Picture(b_frames=b_frames))))
    assert numbers(found) == list(range(50))
    assert [frame.index for frame in frames(found)] == list(range(50))
    starts = [frame.span.start for frame in frames(found)]
    assert [start - starts[0] for start in starts] == [Fraction(n, 25) for n in range(50)]
    assert frames(found)[-1].span.end - starts[0] == 2
    assert not [item for item in found if isinstance(item, Gap)]


@pytest.mark.parametrize(
    ("ending", "codec", "pixel_format"),
    [
        ("avi", "mpeg4", "yuv420p"),
        ("avi", "libx264", "yuv420p"),
        ("webm", "libvpx", "yuv420p"),
        ("webm", "libvpx-vp9", "yuv420p"),
        ("mpg", "mpeg2video", "yuv420p"),
        ("mov", "mjpeg", "yuvj422p"),
        ("mkv", "ffv1", "bgr0"),
        ("gif", "gif", "rgb8"),
    ],
)
@pytest.mark.parametrize("b_frames", [0, 2])
def test_codecs_and_containers(
    clips: Path, ending: str, codec: str, pixel_format: str, b_frames: int
) -> None:
    if codec not in ("mpeg4", "libx264", "mpeg2video"):
        b_frames = 0
    picture = Picture(
        codec=codec, pixel_format=pixel_format, b_frames=b_frames, time_base=Fraction(1, 25)
    )
    found = items(make(clips, Recipe(ending, picture, None)))
    assert numbers(found) == list(range(50))
    assert [frame.span.start for frame in frames(found)] == [Fraction(n, 25) for n in range(50)]


@pytest.mark.parametrize("rate", [Fraction(30_000, 1001), Fraction(10), Fraction(60)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_constant_rates_are_exact_as_far_as_the_container_is(
    clips: Path, rate: Fraction, ending: str
) -> None:
    found = frames(items(make(clips, Recipe(ending, at_rate(rate), None))))
    error = max(abs(frame.span.start - frame.index / rate) for frame in found)
    assert error <= (MS / 2 if ending == "mkv" else 0)


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_variable_rates_are_exact(clips: Path, ending: str, b_frames: int) -> None:
    picture = Picture(times=VFR, b_frames=b_frames)
    found = frames(items(make(clips, Recipe(ending, picture, None))))
    assert [frame.span.start for frame in found] == list(VFR)
    assert [frame.span.end for frame in found[:-1]] == list(VFR[1:])


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_raw_stream_without_any_pts_gets_its_times_from_the_rate(
    clips: Path, b_frames: int
) -> None:
    found = items(make(clips, Recipe("h264", Picture(b_frames=b_frames), None)))
    assert numbers(found) == list(range(50))
    assert [frame.span.start for frame in frames(found)] == [Fraction(n, 25) for n in range(50)]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_that_starts_later_keeps_its_offset(clips: Path, ending: str) -> None:
    sound = Sound(start=Fraction(1, 2), seconds=Fraction(3, 2))
    found = items(make(clips, Recipe(ending, Picture(), sound)))
    assert frames(found)[0].span.start == 0
    # AAC brings a packet of its own silence first where the container cannot say so.
    assert Fraction(47, 100) <= chunks(found)[0].span.start <= Fraction(1, 2)
    assert first_click(found) == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_pictures_that_start_later_keep_their_offset(clips: Path, ending: str) -> None:
    picture = Picture(times=tuple(Fraction(n, 25) + Fraction(2, 5) for n in range(20)))
    found = items(make(clips, Recipe(ending, picture)))
    frame = frames(found)[0]
    assert float(frame.span.start) - first_click(found) == pytest.approx(0.4, abs=0.002)
    assert min(frame.span.start, chunks(found)[0].span.start) == 0


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_a_clapper_is_seen_and_heard_at_once(clips: Path, ending: str) -> None:
    found = items(make(clips, Recipe(ending, Picture(b_frames=2))))
    assert first_click(found) == pytest.approx(float(frames(found)[0].span.start), abs=0.002)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("wav", "pcm_s16le"),
        ("wav", "pcm_u8"),
        ("wav", "pcm_s24le"),
        ("wav", "pcm_f32le"),
        ("flac", "flac"),
        ("mp3", "libmp3lame"),
        ("ogg", "libopus"),
        ("mkv", "libopus"),
    ],
)
def test_sound_alone_is_counted_to_the_sample(clips: Path, ending: str, codec: str) -> None:
    path = make(clips, Recipe(ending, None, Sound(codec)))
    with Decoder(str(path)) as decoder:
        assert decoder.info.media == ("audio",)
        heard = chunks(decoder.items())
    assert sum(chunk.samples.shape[1] for chunk in heard) == 96_000
    assert {chunk.origin for chunk in heard} == {Fraction(0)}
    firsts = np.cumsum([0, *(chunk.samples.shape[1] for chunk in heard)])
    assert [chunk.first_sample for chunk in heard] == firsts[:-1].tolist()
    assert first_click(heard) == pytest.approx(0, abs=0.001)
    assert all(chunk.samples.dtype == np.float32 for chunk in heard)
    assert max(float(np.abs(chunk.samples).max()) for chunk in heard) == pytest.approx(0.8, abs=0.1)


@pytest.mark.parametrize("sample_rate", [8000, 11_025, 16_000, 22_050, 44_100, 96_000])
def test_sample_rates(clips: Path, sample_rate: int) -> None:
    found = chunks(items(make(clips, Recipe("wav", None, Sound("pcm_s16le", sample_rate)))))
    assert found[-1].span.end == 2
    assert {chunk.sample_rate for chunk in found} == {sample_rate}


@pytest.mark.parametrize(
    ("layout", "channels"),
    [("mono", 1), ("stereo", 2), ("2.1", 3), ("5.0", 5), ("5.1", 6), ("7.1", 8)],
)
@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_layouts(clips: Path, codec: str, layout: str, channels: int) -> None:
    layout = "3.0" if (codec, channels) == ("aac", 3) else layout
    found = chunks(items(make(clips, Recipe("mkv", None, Sound(codec, 44_100, layout)))))
    assert {chunk.samples.shape[0] for chunk in found} == {channels}
    assert 0.6 < max(float(np.abs(chunk.samples).max()) for chunk in found) <= 1.0


def test_only_the_media_asked_for_come_and_at_the_same_times(clips: Path) -> None:
    path = make(
        clips, Recipe("mkv", Picture(), Sound(start=Fraction(1, 2), seconds=Fraction(3, 2)))
    )
    both = items(path)
    sound, pictures = items(path, media={"audio"}), items(path, media={"video"})
    assert {type(item) for item in sound} == {AudioChunk}
    assert {type(item) for item in pictures} == {Frame}
    assert [chunk.span for chunk in chunks(both)] == [chunk.span for chunk in chunks(sound)]
    assert [frame.span for frame in frames(both)] == [frame.span for frame in frames(pictures)]


def test_items_come_in_the_order_in_which_they_are_stored(clips: Path) -> None:
    found = items(make(clips, Recipe("ts")))
    starts = [item.span.start for item in found]
    # Interleaved: no medium runs ahead of the other by more than the muxer's own lead.
    leads = [abs(one - other) for one, other in pairwise(starts)]
    assert max(leads) < Fraction(1, 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_changes_nothing(clips: Path, threads: int) -> None:
    found = items(make(clips, Recipe("mp4", Picture(b_frames=2))), threads=threads)
    assert numbers(found) == list(range(50))


@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_rotated_pictures_come_upright(clips: Path, rotation: int) -> None:
    path = make(clips, Recipe("mp4", Picture(rotation=rotation), None))
    upright = bar_code(5, (96, 64)).astype(int)
    shown = np.rot90(upright, rotation // 90)
    with Decoder(str(path)) as decoder:
        info = decoder.info.video
        frame = frames(decoder.items())[5]
    assert info is not None
    assert info.rotation_degrees == -rotation % 360
    assert (frame.pixels.height, frame.pixels.width) == shown.shape[:2]
    assert (info.height, info.width) == shown.shape[:2]
    pixels = frame.pixels.rgb(frame.pixels.width, frame.pixels.height)
    assert np.abs(pixels.astype(int) - shown).mean() < 6


@pytest.mark.parametrize("size", [(97, 65), (33, 7), (1, 1)])
def test_odd_sizes(clips: Path, size: tuple[int, int]) -> None:
    picture = Picture(codec="ffv1", pixel_format="bgr0", size=size, time_base=Fraction(1, 25))
    found = frames(items(make(clips, Recipe("mkv", picture, None))))
    pixels = found[3].pixels.rgb(*size)
    assert (pixels == bar_code(3, size)).all()
    for wanted in ((5, 3), (64, 32), (101, 67)):
        scaled = found[3].pixels.rgb(*wanted)
        assert scaled.shape == (wanted[1], wanted[0], 3)
        assert scaled.flags.c_contiguous


def test_a_size_is_converted_once(clips: Path) -> None:
    frame = frames(items(make(clips, Recipe())))[0]
    assert frame.pixels.rgb(48, 32) is frame.pixels.rgb(48, 32)
    assert frame.pixels.rgb(48, 32) is not frame.pixels.rgb(32, 48)


def test_scaling_down_averages_what_it_leaves_out(clips: Path) -> None:
    picture = Picture(codec="ffv1", pixel_format="bgr0", time_base=Fraction(1, 25))
    frame = frames(items(make(clips, Recipe("mkv", picture, None))))[0b00010101]
    whole = frame.pixels.rgb(96, 64).astype(float)
    small = frame.pixels.rgb(24, 16).astype(float)
    averaged = whole.reshape(16, 4, 24, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - averaged).max() <= 2


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (9, 9, 9)]
)
@pytest.mark.parametrize(("space", "full"), [(1, False), (5, False), (1, True), (5, True)])
def test_colour_space_and_range_are_honoured(
    tmp_path: Path, colour: tuple[int, int, int], space: int, full: bool
) -> None:
    path = tmp_path / "colour.mkv"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        stream.codec_context.colorspace = space
        stream.codec_context.color_range = 2 if full else 1
        image = np.full((64, 64, 3), colour, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
            format="yuv444p",
            dst_colorspace="ITU709" if space == 1 else "ITU601",
            src_color_range="JPEG",
            dst_color_range="JPEG" if full else "MPEG",
        )
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    pixels = frames(items(path))[0].pixels.rgb(32, 32)
    assert np.abs(pixels.astype(int) - colour).max() <= 3


def test_cover_art_is_no_video(clips: Path, tmp_path: Path) -> None:
    source = make(clips, Recipe("mp3", None, Sound("libmp3lame")))
    path = tmp_path / "covered.mp3"
    with av.open(source) as before, av.open(path, "w") as after:
        sound = after.add_stream_from_template(before.streams.audio[0])
        cover = after.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        picture.pts = 0
        after.mux(cover.encode(picture.reformat(format="yuvj420p")))
        for packet in before.demux(before.streams.audio[0]):
            if packet.size:
                packet.stream = sound
                after.mux(packet)
    with av.open(path) as check:
        assert len(check.streams.video) == 1
    with Decoder(str(path)) as decoder:
        assert decoder.info.media == ("audio",)
        assert {type(item) for item in decoder.items()} == {AudioChunk}


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_reset_in_the_middle_keeps_picture_and_sound_together(
    clips: Path, tmp_path: Path, b_frames: int
) -> None:
    once = make(clips, Recipe("ts", Picture(b_frames=b_frames)))
    path = tmp_path / "twice.ts"
    path.write_bytes(once.read_bytes() * 2)
    found = items(path)
    seen = frames(found)
    starts = [frame.span.start for frame in seen]
    assert len(seen) == 100
    assert starts == sorted(starts)
    resets = {item.medium for item in found if isinstance(item, Gap)}
    assert resets == {"video", "audio"}
    # Frame 1 of the second half is 40 ms after its first click, as it is in the first half.
    second = max(chunk.origin for chunk in chunks(found))
    click = first_click(chunk for chunk in chunks(found) if chunk.origin == second)
    assert float(starts[51]) - click == pytest.approx(0.04, abs=0.02)


def test_a_wrap_of_33_bit_pts_is_seamless(clips: Path) -> None:
    options = (("output_ts_offset", "95442.7"),)
    found = items(make(clips, Recipe("ts", Picture(b_frames=2), options=options)))
    starts = [frame.span.start for frame in frames(found)]
    assert [start - starts[0] for start in starts] == [Fraction(n, 25) for n in range(50)]
    assert not [item for item in found if isinstance(item, Gap)]
    assert len({chunk.origin for chunk in chunks(found)}) == 1


def test_the_container_is_read_once(clips: Path) -> None:
    path = make(clips, Recipe())
    with Decoder(str(path)) as decoder:
        list(decoder.items())
        with pytest.raises(ValueError, match="once"):
            next(decoder.items())


def test_a_decoder_is_used_in_a_with_block(clips: Path) -> None:
    decoder = Decoder(str(make(clips, Recipe())))
    with pytest.raises(ValueError, match="with"):
        next(decoder.items())
    with pytest.raises(ValueError, match="with"):
        _ = decoder.info


def test_a_local_path_is_never_taken_for_a_protocol(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "concat:one.mp4"
    path.write_bytes(make(clips, Recipe()).read_bytes())
    with opened(str(path)) as source:
        assert source.video is not None
