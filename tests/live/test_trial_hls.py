"""HLS through answers of 404 and 503, a playlist that stands still, and encoders that restart."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live import hls
from tests.live.conftest import Footage
from tests.live.courses import Course, after, follow
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
# In full each form is tried by itself, otherwise all beside one another.
TOGETHER = [[one] for one in LONG] if FULL else [SHORT]


@dataclass
class Playlist:
    """A stream, what goes wrong with it, and how long each time it took to be back, in s."""

    form: str
    faults: tuple[str, ...]
    origin: hls.Origin
    back: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the stream."""
        return f"{self.form}_{'_'.join(self.faults)}"

    def course(self, watching: Watching) -> Course:
        """It plays, goes wrong and comes back, again and again."""
        yield lambda: watching.newest(self.name) >= 0
        for fault in self.faults:
            yield after(2 * TARGET_S + 1)
            yield from self.go_wrong(fault)
            healed, before = time.time(), watching.newest(self.name)
            yield lambda before=before: watching.newest(self.name) != before
            self.back[fault] = round(time.time() - healed, 2)
        yield after(2 * TARGET_S)

    def go_wrong(self, fault: str) -> Course:
        """Until it is well again: a restarted encoder is so at once."""
        if fault in ("404", "503"):
            with self.origin.failing(int(fault)):
                yield after(FAULT_S)
        elif fault == "stalled":
            with self.origin.stall():
                yield after(FAULT_S)
        else:
            self.origin.restart_encoder(renumber=fault == "renumbered")
            # The first segment of the new encoder is whole after the rest of this one and its own.
            yield after(2 * TARGET_S)


@pytest.mark.parametrize("trials", TOGETHER)
def test_a_playlist_goes_wrong(
    street: Footage, tmp_path: Path, trials: list[tuple[str, tuple[str, ...]]]
) -> None:
    segments = {form: cut(street, tmp_path / form, form) for form in {form for form, _ in trials}}
    epoch = time.time() - 30
    with ExitStack() as stack:
        playlists = [
            # Their segments do not come at the same moment.
            Playlist(
                form, faults, stack.enter_context(hls.Origin(segments[form], epoch - number / 2))
            )
            for number, (form, faults) in enumerate(trials)
        ]
        watching = stack.enter_context(Watching(tmp_path / "out"))
        for one in playlists:
            watching.add(one.name, LiveAddress("hls", one.origin.url))
        follow(watching, *[one.course(watching) for one in playlists])
        restarts = {one.name: watching.status(one.name).restarts for one in playlists}
        watching.end()
    for one in playlists:
        left = watching.of(one.name, Clock(street.clip, one.origin.epoch))
        gaps = [round(gap["end_s"] - gap["start_s"], 2) for gap in left.gaps()]
        told = {"back_s": one.back, "gaps_s": gaps, "restarts": restarts[one.name]}
        report(f"hls_{one.name}", told)
        left.check()
        assert max(one.back.values()) <= 2 * TARGET_S, (one.name, one.back)


def cut(street: Footage, folder: Path, form: str) -> hls.Segments:
    """The clip's segments in this form."""
    kind, aes = FORMS[form]
    return hls.cut(street.path, street.clip, folder, length_s=TARGET_S, kind=kind, aes=aes)
