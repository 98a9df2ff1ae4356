"""What stands where a camera should be plugged in: each told in words, and tried again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pipeline.errors import SourceError, SourceMissing, SourceUnreadable
from pipeline.media.address import LiveAddress, plan_of
from pipeline.media.live import LiveSource
from pipeline.media.opening import opened

WITHIN_S = 10.0
SAID: dict[str, tuple[type[SourceError], str]] = {
    "absent": (SourceMissing, "no such device; is the camera plugged in"),
    "file": (SourceMissing, "is no device; name a camera's"),
    "folder": (SourceMissing, "is no device; name a camera's"),
    "/dev/null": (SourceUnreadable, "no camera that can be read"),
}


def place(what: str, folder: Path) -> str:
    path = folder / what
    if what == "file":
        path.write_bytes(b"no camera")
    elif what == "folder":
        path.mkdir()
    return str(path)


@pytest.mark.parametrize("what", SAID)
def test_what_is_no_camera_is_told(what: str, tmp_path: Path) -> None:
    error, words = SAID[what]
    path = place(what, tmp_path)
    with pytest.raises(error, match=words) as caught, opened(plan_of(LiveAddress("device", path))):
        pass
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize("what", SAID)
def test_it_is_tried_again_until_a_camera_is_there(what: str, tmp_path: Path) -> None:
    source = LiveSource(LiveAddress("device", place(what, tmp_path)), "gate", ("video",))
    watch = threading.Thread(target=lambda: list(source.items()))
    watch.start()
    end = time.monotonic() + WITHIN_S
    while source.pulse.attempts < 2 and time.monotonic() < end:
        watch.join(0.02)
    state, reason = source.pulse.state, source.pulse.reason
    source.stop()
    watch.join(WITHIN_S)
    assert not watch.is_alive()
    assert source.pulse.attempts >= 2
    assert state in ("waiting", "opening")
    assert SAID[what][1] in reason
