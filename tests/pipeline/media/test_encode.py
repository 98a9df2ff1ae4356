"""A film that is whole or absent, at exact times, with its source's sound."""

from __future__ import annotations

import resource
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import OutputError, SourceMissing
from pipeline.media.audio import read_mono
from pipeline.media.decode import Decoder
from pipeline.media.encode import Encoder
from pipeline.media.probe import probe
from pipeline.records import AudioChunk, Frame
from tests.clips import Picture, Recipe, Sound, bar_code, make, read_bar_code, silent_header

SIZE = (96, 64)
RATE = Fraction(25)


def film(path: Path, times: list[Fraction], audio_from: Path | None = None) -> Path:
    with Encoder(path, *SIZE, RATE, str(audio_from) if audio_from else None) as encoder:
        for number, time in enumerate(times):
            encoder.write(bar_code(number, SIZE), time)
    return path


def frames(path: Path) -> list[Frame]:
    with Decoder(str(path), media={"video"}) as decoder:
        return [item for item in decoder.items() if isinstance(item, Frame)]


@pytest.mark.parametrize(
    "times",
    [
        [Fraction(n, 25) for n in range(30)],
        [Fraction(n * 1001, 30_000) for n in range(30)],
        [Fraction(n, 1000) for n in (0, 40, 41, 300, 900, 910, 2000)],
        [Fraction(1, 2), Fraction(1)],
    ],
)
def test_pictures_come_back_at_their_times(tmp_path: Path, times: list[Fraction]) -> None:
    found = frames(film(tmp_path / "film.mp4", times))
    assert [frame.span.start for frame in found] == [time - times[0] for time in times]
    assert [read_bar_code(frame.pixels.rgb(*SIZE)) for frame in found] == list(range(len(times)))
    assert found[-1].span.duration in (1 / RATE, times[-1] - times[-2])


def test_a_browser_can_start_and_seek_at_once(tmp_path: Path, clips: Path) -> None:
    path = film(tmp_path / "film.mp4", [Fraction(n, 25) for n in range(30)], make(clips, Recipe()))
    data = path.read_bytes()
    assert data[4:8] == b"ftyp"
    assert data.index(b"moov") < data.index(b"mdat")
    info = probe(str(path))
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.audio.codec) == ("h264", "aac")


@pytest.mark.parametrize(
    "sound",
    [
        Sound("aac", 48_000, "stereo"),
        Sound("pcm_s16le", 8000, "mono"),
        Sound("flac", 96_000, "5.1"),
        Sound("pcm_s16le", 44_100, "stereo", start=Fraction(1, 2), seconds=Fraction(3, 2)),
    ],
)
def test_the_sound_comes_along_in_time(tmp_path: Path, clips: Path, sound: Sound) -> None:
    source = make(clips, Recipe("mkv", Picture(), sound))
    path = film(tmp_path / "film.mp4", [Fraction(n, 25) for n in range(50)], source)
    before, after = read_mono(str(source), 8000), read_mono(str(path), 8000)
    loud = [np.flatnonzero(np.abs(signal) > 0.2) for signal in (before, after)]
    assert abs(int(loud[0][0]) - int(loud[1][0])) <= 16
    assert abs(int(loud[0][-1]) - int(loud[1][-1])) <= 16


def test_packets_are_interleaved(tmp_path: Path, clips: Path) -> None:
    path = film(tmp_path / "film.mp4", [Fraction(n, 25) for n in range(50)], make(clips, Recipe()))
    with Decoder(str(path)) as decoder:
        kinds = [type(item) for item in decoder.items()]
    first_half = kinds[: len(kinds) // 2]
    assert 10 < first_half.count(Frame) < 40
    assert first_half.count(AudioChunk) > 20


@pytest.mark.parametrize(
    ("picture", "sound"), [(Picture(), None)], ids=["a source without a sound stream"]
)
def test_a_silent_source_gives_a_silent_film(
    tmp_path: Path, clips: Path, picture: Picture, sound: Sound | None
) -> None:
    path = film(tmp_path / "film.mp4", [Fraction(0)], make(clips, Recipe("mp4", picture, sound)))
    assert probe(str(path)).media == ("video",)


def test_sound_of_no_length_does_no_harm(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", [Fraction(0), Fraction(1)], silent_header(tmp_path))
    assert len(frames(path)) == 2


@pytest.mark.parametrize("size", [(97, 65), (2, 2), (33, 2)])
def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "film.mp4"
    with Encoder(path, *size, RATE) as encoder:
        encoder.write(np.zeros((size[1], size[0], 3), np.uint8), Fraction(0))
    info = probe(str(path)).video
    assert info is not None
    assert (info.width, info.height) == (size[0] // 2 * 2, size[1] // 2 * 2)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
def test_colours_survive(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    path = tmp_path / "film.mp4"
    image: NDArray[np.uint8] = np.full((64, 96, 3), colour, np.uint8)
    with Encoder(path, *SIZE, RATE, crf=10) as encoder:
        encoder.write(image, Fraction(0))
    shown = frames(path)[0].pixels.rgb(*SIZE)
    assert np.abs(shown.astype(int) - image).max() <= 6


def test_nothing_is_left_of_a_film_that_was_given_up(tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.mp4"
    with pytest.raises(KeyError), Encoder(path, *SIZE, RATE) as encoder:
        encoder.write(bar_code(0, SIZE), Fraction(0))
        raise KeyError
    assert list(path.parent.iterdir()) == []


def test_an_older_film_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"older")
    with Encoder(path, *SIZE, RATE) as encoder:
        encoder.write(bar_code(0, SIZE), Fraction(0))
        assert path.read_bytes() == b"older"
    assert len(frames(path)) == 1


def test_the_blocks_own_error_passes_as_it_is(tmp_path: Path) -> None:
    # SourceMissing is an OSError too, and must not be told as a fault of the output.
    with pytest.raises(SourceMissing), Encoder(tmp_path / "film.mp4", *SIZE, RATE) as encoder:
        encoder.write(bar_code(0, SIZE), Fraction(0))
        message = "gone"
        raise SourceMissing(message)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source_of_sound_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"nowhere\.mp4"):
        film(tmp_path / "film.mp4", [Fraction(0)], tmp_path / "nowhere.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_pictures_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no picture"):
        film(tmp_path / "film.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="not a folder"):
        film(tmp_path / "file" / "film.mp4", [Fraction(0)])


_FULL = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from pipeline.errors import OutputError
from pipeline.media.encode import Encoder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
noise = np.random.default_rng(0)
try:
    with Encoder(Path(sys.argv[1]), 320, 240, Fraction(25)) as encoder:
        for n in range(40):
            encoder.write(noise.integers(0, 255, (240, 320, 3), np.uint8), Fraction(n, 25))
except OutputError as error:
    sys.exit(f"told: {error}")
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    # A limit on the size of files stands in for a full disk: writing fails half-way.
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    path = tmp_path / "film.mp4"
    ran = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert f"told: {path}: cannot be written" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_another_size_or_order_are_refused(tmp_path: Path) -> None:
    with Encoder(tmp_path / "film.mp4", *SIZE, RATE) as encoder:
        encoder.write(bar_code(0, SIZE), Fraction(1))
        with pytest.raises(ValueError, match="shape"):
            encoder.write(bar_code(0, (64, 96)), Fraction(2))
        with pytest.raises(ValueError, match="order"):
            encoder.write(bar_code(0, SIZE), Fraction(1))


@pytest.mark.parametrize(("width", "height", "rate"), [(1, 64, 25), (96, 0, 25), (96, 64, 0)])
def test_senseless_films_are_refused(tmp_path: Path, width: int, height: int, rate: int) -> None:
    with pytest.raises(ValueError, match="cannot encode"):
        Encoder(tmp_path / "film.mp4", width, height, Fraction(rate))
