"""Streams that are changed, removed and begun again while others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.watching import Left, Watching

pytestmark = pytest.mark.slow


def film(footage: Footage) -> LiveAddress:
    return LiveAddress("file", str(footage.path), realtime=True, loop=True)


def on_one_time(left: Left) -> None:
    """Fails when media time ran back, or an event's UTC and media time part by 0.1 s or more."""
    seen = left.numbers
    assert all(a.start_s < b.start_s for a, b in zip(seen, seen[1:], strict=False))


def test_a_changed_stream_goes_on_in_its_media_time(tmp_path: Path, yard: Footage) -> None:
    with Watching(tmp_path) as watching:
        for name in ("yard", "other"):
            watching.add(name, film(yard))
        watching.until(watching.plays("yard", "other"))
        readers = watching.pids("reader")
        watching.run_for(2)
        watching.add("yard", film(yard), max_lag_s=9.0)
        watching.until(lambda: any(told.line == "yard: ended" for told in watching.told))
        watching.until(watching.plays("yard"))
        watching.run_for(2)
        assert len(set(readers) & set(watching.pids("reader"))) == 1
        watching.end()
    left = watching.of("yard")
    on_one_time(left)
    print(
        left.records, left.summary["from_s"], sorted(p.name for p in (tmp_path / "yard").iterdir())
    )
    print(left.summary)
