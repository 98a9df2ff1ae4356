"""What a keeper does for a stream even when nothing happens there: measured in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from pipeline.cut import Progress
from pipeline.lane import Lane
from pipeline.media.pulse import Reached
from pipeline.run.live.keeper import Note
from pipeline.run.live.keepers import LiveKeepers

STREAMS, ROUNDS = 10, 8


def keeper_ms(lanes: Sequence[Lane], folder: Path) -> float:
    """The ms of processor time that a second of a stream takes: a note, and its checkpoint."""
    keepers = LiveKeepers()
    names = [f"s{number}" for number in range(STREAMS)]
    for name in names:
        keepers.open(name, lanes, folder / name, 2.0, {"source": name})
    began = time.process_time()
    for second in range(1, ROUNDS + 1):
        reached = Reached({"video": Fraction(second)}, 15 * second, 1.7e9)
        note = Note(Progress(Fraction(second), {"video": 15 * second}, {}), reached, None)
        for name in names:
            keepers.note(name, note)
        keepers.checkpoint()
    took = time.process_time() - began
    keepers.close()
    return took * 1000 / ROUNDS / STREAMS
