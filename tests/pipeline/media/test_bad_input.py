"""Each bad input by name: a clear message or what could be saved, never a crash."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from pipeline.errors import SourceMissing, SourceUnreadable
from pipeline.media.decode import Decoder
from pipeline.media.probe import probe
from pipeline.records import AudioChunk, Frame
from tests.clips import (
    Picture,
    Recipe,
    Sound,
    flipped,
    header_only,
    make,
    read_bar_code,
    silent_header,
    truncated,
)

FASTSTART = (("movflags", "+faststart"),)


def decode(path: Path) -> tuple[list[int], int, Decoder]:
    """The numbers of the frames, how many samples, and the decoder with its troubles."""
    numbers, samples = [], 0
    with Decoder(str(path)) as decoder:
        for item in decoder.items():
            if isinstance(item, Frame):
                numbers.append(read_bar_code(item.pixels.rgb(96, 64)))
            elif isinstance(item, AudioChunk):
                samples += item.samples.shape[1]
    return numbers, samples, decoder


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"nowhere\.mp4: no such file; check the path"):
        probe(str(tmp_path / "nowhere.mp4"))


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="is a directory; name a file in it"):
        probe(str(tmp_path))


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(SourceUnreadable, match=r"empty\.mp4 is empty \(0 bytes\)"):
        probe(str(path))


def test_not_a_regular_file() -> None:
    with pytest.raises(SourceUnreadable, match="not a regular file"):
        probe("/dev/null")


@pytest.mark.parametrize("name", ["text.mp4", "text.txt", "text.ts", "text", "text.mp3"])
def test_not_a_video(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("The quick brown fox jumps over the lazy dog.\n" * 200)
    with pytest.raises(SourceUnreadable, match="not a video or sound file"):
        probe(str(path))


def test_subtitles_alone(tmp_path: Path) -> None:
    path = tmp_path / "words.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    with pytest.raises(SourceUnreadable, match=r"no stream of pictures or sound.*subtitle"):
        probe(str(path))


def test_a_list_of_other_files_is_not_followed(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "other.mp4").write_bytes(make(clips, Recipe()).read_bytes())
    path = tmp_path / "list.mp4"
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises(SourceUnreadable, match="list of files"):
        probe(str(path))


@pytest.mark.parametrize("kept", [0.3, 0.95])
def test_a_film_cut_off_before_its_index(clips: Path, kept: float) -> None:
    path = truncated(make(clips, Recipe("mp4")), kept)
    with pytest.raises(SourceUnreadable, match="its header is cut off"):
        probe(str(path))


@pytest.mark.parametrize(
    ("recipe", "kept"),
    [
        (Recipe("mp4", options=FASTSTART), 0.7),
        (Recipe("mkv"), 0.5),
        (Recipe("ts"), 0.5),
        (Recipe("flv"), 0.5),
    ],
)
def test_a_film_cut_off_later_gives_what_was_there(
    clips: Path, recipe: Recipe, kept: float
) -> None:
    numbers, samples, _ = decode(truncated(make(clips, recipe), kept))
    assert 10 < len(numbers) < 50
    # The frame that was cut through may be shown damaged, or not at all.
    assert numbers[:-1] == list(range(len(numbers) - 1))
    assert 20_000 < samples < 96_000


@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_sound_cut_off(clips: Path, kept: float) -> None:
    path = truncated(make(clips, Recipe("wav", None, Sound("pcm_s16le"))), kept)
    _, samples, _ = decode(path)
    assert samples == pytest.approx(96_000 * kept, rel=0.01)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_a_header_without_pictures(tmp_path: Path, ending: str) -> None:
    path = header_only(tmp_path, ending)
    with pytest.raises(SourceUnreadable, match=r"header_only\.") as caught:
        decode(path)
    assert str(caught.value).count("\n") == 0


def test_sound_of_no_length(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="claims audio, but no sound could be decoded"):
        decode(silent_header(tmp_path))


def test_one_sample_is_sound(tmp_path: Path) -> None:
    assert decode(silent_header(tmp_path, 1))[1] == 1


def test_sound_alone_and_pictures_alone(clips: Path) -> None:
    assert decode(make(clips, Recipe("flac", None, Sound("flac"))))[:2] == ([], 96_000)
    assert decode(make(clips, Recipe("mp4", Picture(), None)))[:2] == (list(range(50)), 0)


@pytest.mark.parametrize(
    ("media", "picture", "sound"), [("audio", Picture(), None), ("video", None, Sound())]
)
def test_a_medium_that_is_not_there(
    clips: Path, media: str, picture: Picture | None, sound: Sound | None
) -> None:
    path = make(clips, Recipe("mp4", picture, sound))
    with (
        pytest.raises(SourceUnreadable, match=f"has no {media}"),
        Decoder(
            str(path),
            media=[media],  # type: ignore[list-item]
        ),
    ):
        pass


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ending", ["ts", "mp4", "mkv"])
def test_flipped_bytes_in_the_middle_are_survived_and_counted(
    clips: Path, ending: str, seed: int
) -> None:
    # The sound is stored last in MP4's index: spare both ends, where headers and indexes are.
    recipe = Recipe(ending, Picture(b_frames=2, gop=5))
    path = flipped(make(clips, recipe), seed=seed, flips=15, spared=0.35)
    numbers, samples, decoder = decode(path)
    assert len(numbers) + samples // 1920 > 40
    assert samples <= 100_000
    assert len(numbers) < 50 or samples < 96_256 or sum(decoder.troubles.values()) > 0


def test_packets_marked_as_corrupt_are_counted(clips: Path, tmp_path: Path) -> None:
    data = bytearray(make(clips, Recipe("ts")).read_bytes())
    # The error indicator of every tenth transport packet in the middle.
    for packet in range(len(data) // 188 // 3, len(data) // 188 * 2 // 3, 10):
        data[packet * 188 + 1] |= 0x80
    path = tmp_path / "marked.ts"
    path.write_bytes(data)
    numbers, _, decoder = decode(path)
    assert numbers[:10] == list(range(10))
    assert sum(decoder.troubles.values()) > 0


def test_damage_to_every_picture_is_explained(clips: Path, tmp_path: Path) -> None:
    path = make(clips, Recipe("mp4", Picture(), None))
    data = bytearray(path.read_bytes())
    with av.open(path) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for position, size in packets:
        assert position is not None
        data[position : position + size] = bytes([255]) * size
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    with pytest.raises(SourceUnreadable, match=r"no picture could be decoded \(\d+ corrupt"):
        decode(damaged)


def test_pictures_too_large_to_be_true_are_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "huge.mov"
    with av.open(path, "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "monob"
        frame = av.VideoFrame(8192, 8192, "monob")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceUnreadable, match=r"8192x8192 are above 64000000 pixels"):
        probe(str(path))


def test_a_stream_that_breaks_while_the_other_goes_on(clips: Path, tmp_path: Path) -> None:
    path = make(clips, Recipe("mp4", Picture(), Sound(seconds=Fraction(1, 100))))
    numbers, samples, _ = decode(path)
    assert numbers == list(range(50))
    assert 0 < samples <= 2048
