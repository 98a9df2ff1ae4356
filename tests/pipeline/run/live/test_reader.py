"""A live reader that has to wait for those who analyse is not taken for one that hangs."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline.media.address import LiveAddress
from pipeline.run.live.reader import Begin, LiveReader, ReadingRules
from pipeline.testing import brightness_lane

WAIT_S = 0.05
TURNS = 200


def test_waiting_for_room_is_no_silence_of_the_source(film: Path) -> None:
    lane = brightness_lane(rate_hz=10.0, batch=1)
    rules = ReadingRules(overload="block", most_windows=1)
    reader = LiveReader(LiveAddress("file", str(film)), "yard", (lane,), rules, Begin())
    for _ in range(TURNS):
        beat, _ = reader.idle(WAIT_S)
        if beat.waiting(lane) > 1:
            break
    silences = [reader.idle(2 * WAIT_S)[0].silent_s for _ in range(4)]
    assert beat.state == "playing"
    assert silences == [0.0] * 4
    windows = 0
    while not beat.ended:
        beat, cut = reader.step(WAIT_S)
        windows += len(cut)
    assert windows == 20
    assert beat.newest_at is not None and abs(time.time() - beat.newest_at) < 60
    assert beat.progress.decode_s["video"] > 0
    assert beat.progress.dropped == {}
