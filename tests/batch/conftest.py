"""Videos and networks of the trials: made once in a session."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests import clips
from tests.batch.driving import small_config


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config that is quickly run."""
    return small_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight short ones, two of 12 s that may be cut, a broken one, and one of sound alone."""
    folder = tmp_path_factory.mktemp("videos")
    film = make_film(folder, "mkv", 4)
    for number in range(8):
        (folder / f"short{number}.mkv").write_bytes(film.read_bytes())
    film.unlink()
    for ending in ("mp4", "mkv"):
        make_film(folder, ending, 12).rename(folder / f"long_{ending}.{ending}")
    (folder / "broken.mp4").write_bytes(b"no video at all" * 20)
    clips.silent_header(folder, 4000).rename(folder / "sound.wav")
    return folder


def make_film(folder: Path, ending: str, seconds: int, rate: int = 10) -> Path:
    """Pictures at `rate` Hz with a click every second."""
    picture = clips.at_rate(Fraction(rate), seconds)
    sound = clips.Sound(seconds=Fraction(seconds))
    return clips.make(folder, clips.Recipe(ending, picture, sound))
