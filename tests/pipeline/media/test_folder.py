"""A recorder's files are taken once each, in order, when they are whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import SourceAbsent, SourceMissing
from pipeline.media import folder as module
from pipeline.media.folder import Segments


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, int], None]:
    def put(name: str, size: int) -> None:
        with (tmp_path / name).open("ab") as file:
            file.write(b"x" * size)

    return put


def test_it_begins_with_the_newest_and_takes_what_comes_after(
    tmp_path: Path, put: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.0)
    for name in ("10.ts", "11.ts", "12.ts"):
        put(name, 9)
    segments = Segments(tmp_path, "yard")
    assert segments.next().name == "12.ts"
    with pytest.raises(SourceAbsent, match="no new file yet"):
        segments.next()
    put("14.ts", 9)
    put("13.ts", 9)
    assert [segments.next().name, segments.next().name] == ["13.ts", "14.ts"]


def test_a_file_that_grows_waits_for_a_newer_one(
    tmp_path: Path, put: Callable[[str, int], None]
) -> None:
    put("10.ts", 9)
    segments = Segments(tmp_path, "yard")
    for _ in range(3):
        put("10.ts", 9)
        with pytest.raises(SourceAbsent):
            segments.next()


def test_a_file_is_whole_when_a_newer_one_is_there(
    tmp_path: Path, put: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("10.ts", 9)
    segments = Segments(tmp_path, "yard")
    with monkeypatch.context() as patch:
        patch.setattr(module, "QUIET_S", 0.0)
        assert segments.next().name == "10.ts"
    put("11.ts", 9)
    put("12.ts", 9)
    assert segments.next().name == "11.ts"
    with pytest.raises(SourceAbsent):
        segments.next()


def test_hidden_and_empty_files_are_passed_over(
    tmp_path: Path, put: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.0)
    put(".13.part", 9)
    put("12.ts", 0)
    put("11.ts", 9)
    assert Segments(tmp_path, "yard").next().name == "11.ts"


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="yard: the folder cannot be read"):
        Segments(tmp_path / "gone", "yard").next()
    assert list(tmp_path.iterdir()) == []
