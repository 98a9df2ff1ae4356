"""Clips and feeds of the live trials: made once in a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import feed, footage
from tests.live.footage import Clip


@dataclass(frozen=True)
class Footage:
    """A clip, its file and its feed for the RTSP server."""

    clip: Clip
    path: Path
    feed: Path


@pytest.fixture(scope="session")
def shoot(media: Path) -> Callable[[Clip], Footage]:
    """Makes a clip, or finds it when this session has made it before."""

    def make(clip: Clip) -> Footage:
        path = footage.make(media, clip)
        return Footage(clip, path, feed.write(path, clip))

    return make


@pytest.fixture(scope="session")
def street(shoot: Callable[[Clip], Footage]) -> Footage:
    """The usual clip: 64 s of 640x360 at 15 fps with AAC."""
    return shoot(Clip())


@pytest.fixture(scope="session")
def yard(shoot: Callable[[Clip], Footage]) -> Footage:
    """A short one that is quickly made: 8 s of 320x180 at 10 fps with mu-law sound."""
    return shoot(Clip(seconds=8, rate=10, size=(320, 180), sound="pcm_mulaw", ending="mov"))
