"""The street recording is split by time, and the parts do not overlap."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.packages import PackageError
from models.training.scene import ReadFrames
from models.training.street import FILE, FIRST_HELD_OUT, FRAMES, STREET, street


def numbered(path: Path) -> ReadFrames:
    def read() -> Iterable[tuple[int, NDArray[np.uint8]]]:
        assert path.name == FILE
        for number in range(FRAMES):
            yield number, np.full((2, 2, 3), number % 256, np.uint8)

    return read


def test_parts_cover_the_recording_without_overlap(tmp_path: Path) -> None:
    folder = tmp_path / STREET.name / "somewhere"
    folder.mkdir(parents=True)
    (folder / FILE).touch()
    teaches, judges = street(numbered, tmp_path)
    first = [index for index, _ in teaches()]
    assert first == list(range(FIRST_HELD_OUT)) == [index for index, _ in teaches()]
    assert first + [index for index, _ in judges()] == list(range(FRAMES))


def test_package_without_the_film_is_told(tmp_path: Path) -> None:
    (tmp_path / STREET.name).mkdir()
    with pytest.raises(PackageError, match=FILE):
        street(numbered, tmp_path)
