"""Pictures at times and waveforms, without reading all of a source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SourceUnreadable
from pipeline.media.peek import frames_at, thumbnails, waveform
from tests.clips import Picture, Recipe, Sound, at_rate, header_only, make, read_bar_code

LONG = Picture(times=tuple(Fraction(n, 10) for n in range(200)), rate=Fraction(10), b_frames=2)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_the_picture_shown_at_each_time(clips: Path, ending: str) -> None:
    path = make(clips, Recipe(ending, LONG, None))
    wanted = [Fraction(n, 20) for n in (0, 1, 3, 150, 160, 161, 399, 1000)]
    found = list(frames_at(str(path), wanted[::-1]))
    assert [time for time, _ in found] == wanted
    numbers = [read_bar_code(image) for _, image in found]
    assert numbers == [0, 0, 1, 75, 80, 80, 199, 199]


def test_a_stream_without_an_index_is_walked(clips: Path) -> None:
    path = make(clips, Recipe("h264", at_rate(Fraction(25), 6), None))
    [(_, image)] = frames_at(str(path), [Fraction(5)])
    assert read_bar_code(image) == 125


def test_thumbnails_keep_the_shape(clips: Path) -> None:
    path = make(clips, Recipe("mp4", Picture(rotation=90), None))
    images = thumbnails(str(path), [Fraction(0), Fraction(1)], 32)
    assert [image.shape for image in images] == [(48, 32, 3)] * 2


def test_no_times_no_pictures(clips: Path) -> None:
    assert thumbnails(str(make(clips, Recipe())), [], 32) == []


def test_pictures_of_sound_are_refused(clips: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no pictures"):
        list(frames_at(str(make(clips, Recipe("flac", None, Sound("flac")))), [Fraction(0)]))


def test_pictures_of_a_film_without_any_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no picture"):
        list(frames_at(str(header_only(tmp_path, "avi")), [Fraction(0)]))


def test_the_waveform_shows_each_click_in_its_place(clips: Path) -> None:
    path = make(clips, Recipe("flac", None, Sound("flac", 16_000, "stereo")))
    drawn = waveform(str(path), 20)
    loud = np.flatnonzero(drawn[:, 1] > 0.5)
    assert loud.tolist() == [0, 10]
    assert (drawn[:, 0] <= drawn[:, 1]).all()
    assert drawn[0] == pytest.approx([-0.8, 0.8], abs=0.05)


def test_the_waveform_is_drawn_to_the_end_asked_for(clips: Path) -> None:
    path = make(clips, Recipe("flac", None, Sound("flac", 16_000)))
    drawn = waveform(str(path), 40, end=Fraction(4))
    assert np.flatnonzero(drawn[:, 1] > 0.5).tolist() == [0, 10]
    assert not drawn[20:].any()
    assert waveform(str(path), 3, end=Fraction(1, 100)).shape == (3, 2)
