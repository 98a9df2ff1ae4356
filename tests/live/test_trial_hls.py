"""HLS through answers of 404 and 503, a playlist that stands still, and encoders that restart."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live import hls
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

TARGET_S = 2
FAULT_S = 20.0 if FULL else 7.0
FORMS = {"ts": ("mpegts", False), "fmp4": ("fmp4", False), "aes": ("mpegts", True)}
FAULTS = ("404", "503", "stalled", "restart", "renumbered")
SHORT = [
    ("ts", ("404", "stalled")),
    ("aes", ("503", "restart")),
    ("fmp4", ("503", "restart")),
    ("ts", ("renumbered",)),
]
LONG = [(form, FAULTS) for form in FORMS]


@pytest.mark.parametrize(("form", "faults"), LONG if FULL else SHORT)
def test_a_playlist_goes_wrong(
    street: Footage, tmp_path: Path, form: str, faults: tuple[str, ...]
) -> None:
    kind, aes = FORMS[form]
    folder = tmp_path / "segments"
    segments = hls.cut(street.path, street.clip, folder, length_s=TARGET_S, kind=kind, aes=aes)
    back: dict[str, float] = {}
    epoch = time.time() - 30
    with hls.Origin(segments, epoch) as origin, Watching(tmp_path) as watching:
        watching.add("yard", LiveAddress("hls", origin.url))
        watching.until(lambda: watching.newest("yard") >= 0)
        for fault in faults:
            watching.run_for(2 * TARGET_S + 1)
            healed = go_wrong(origin, watching, fault)
            before = watching.newest("yard")
            again = watching.until(lambda before=before: watching.newest("yard") != before)
            back[fault] = round(again - healed, 2)
        watching.run_for(2 * TARGET_S)
        status = watching.status("yard")
        watching.end()
    left = watching.of("yard", Clock(street.clip, epoch))
    gaps = [round(gap["end_s"] - gap["start_s"], 2) for gap in left.gaps()]
    told = {"back_s": back, "gaps_s": gaps, "restarts": status.restarts}
    report(f"hls_{form}_{'_'.join(faults)}", told)
    left.check()
    assert max(back.values()) <= 2 * TARGET_S, back


def go_wrong(origin: hls.Origin, watching: Watching, fault: str) -> float:
    """When it was well again (Unix seconds): a restarted encoder is so at once."""
    if fault in ("404", "503"):
        with origin.failing(int(fault)):
            watching.run_for(FAULT_S)
    elif fault == "stalled":
        with origin.stall():
            watching.run_for(FAULT_S)
    else:
        origin.restart_encoder(renumber=fault == "renumbered")
        # The first segment of the new encoder is whole after the rest of this one and its own.
        watching.run_for(2 * TARGET_S)
    return time.time()
