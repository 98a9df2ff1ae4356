"""What every test may ask for."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests import clips

# A busy machine is no finding: no deadline for a single example.
settings.register_profile("witness", max_examples=50, deadline=None)
settings.load_profile("witness")


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the session for made clips: `clips.make(media, recipe)`."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def film(media: Path) -> Path:
    """Two seconds of pictures at 25 Hz and sound at 48 kHz."""
    return clips.make(media, clips.Recipe())


@pytest.fixture(scope="session")
def silent_film(media: Path) -> Path:
    """Pictures only, of another size than `film`."""
    picture = clips.Picture(size=(64, 48), times=clips.at_rate(clips.Fraction(10)).times)
    return clips.make(media, clips.Recipe("mkv", picture, None))


@pytest.fixture(scope="session")
def recording(media: Path) -> Path:
    """Sound only."""
    return clips.make(media, clips.Recipe("wav", None, clips.Sound("pcm_s16le", 16_000)))
