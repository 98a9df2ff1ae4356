from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import OutputError
from pipeline.media.audio import read_mono
from pipeline.media.decode import Decoder
from pipeline.media.probe import probe
from pipeline.records import Frame
from pipeline.sinks.overlay import Scene, render_overlay
from tests import clips
from tests.pipeline.sinks.scenes import labelled, seen, street


def pictures(path: Path) -> dict[Fraction, NDArray[np.uint8]]:
    with Decoder(str(path), "made", media={"video"}) as decoder:
        return {
            item.span.start: item.pixels.rgb(item.pixels.width, item.pixels.height)
            for item in decoder.items()
            if isinstance(item, Frame)
        }


def test_every_frame_keeps_its_time_and_the_sound_stays(film: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "annotated.mp4", []
    render_overlay(str(film), probe(str(film)), street(), out, on_progress=told.append)
    before, after = pictures(film), pictures(out)
    assert list(after) == list(before)
    assert told == sorted(told) and len(told) == len(before)
    heard, original = (read_mono(str(path), 16_000) for path in (out, film))
    assert abs(len(heard) - len(original)) < 16_000 // 20
    count = min(len(heard), len(original))
    assert np.corrcoef(heard[:count], original[:count])[0, 1] > 0.9
    assert [path.name for path in tmp_path.iterdir()] == ["annotated.mp4"]


def test_masks_are_drawn_where_and_when_they_hold() -> None:
    clean = np.full((240, 320, 3), 90, np.uint8)
    events = [seen(Fraction(n, 25), at=(200, 100), size=(320, 240)) for n in (0, 5)]
    scene = Scene([*events, labelled("sound", 1, 2, "alarm")], (320, 240))
    changed = []
    for n in range(50):
        picture = clean.copy()
        scene.draw(picture, Fraction(n, 25))
        mask, band = picture[100, 200] != 90, picture[210:, :100] != 90
        changed.append((bool(mask.any()), bool(band.any())))
    assert [mask for mask, _ in changed] == [True] * 10 + [False] * 40
    assert [band for _, band in changed] == [False] * 25 + [True] * 25


def test_sound_only_writes_nothing(recording: Path, tmp_path: Path) -> None:
    events = [labelled("sound", 0, 1, "alarm")]
    render_overlay(str(recording), probe(str(recording)), events, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_sound_and_one_of_odd_size_are_drawn(media: Path, tmp_path: Path) -> None:
    odd = clips.Picture(codec="ffv1", size=(95, 63), times=clips.at_rate(Fraction(10), 1).times)
    source = clips.make(media, clips.Recipe("mkv", odd, None))
    render_overlay(str(source), probe(str(source)), [], tmp_path / "a.mp4")
    assert len(pictures(tmp_path / "a.mp4")) == 10


def test_what_is_interrupted_leaves_nothing(film: Path, tmp_path: Path) -> None:
    def interrupt(_: Fraction) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_overlay(str(film), probe(str(film)), [], tmp_path / "a.mp4", on_progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told(film: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        render_overlay(str(film), probe(str(film)), [], tmp_path / "out" / "a.mp4")
