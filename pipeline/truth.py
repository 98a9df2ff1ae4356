"""What was found held against what is known: planted sounds with times and labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.records import Event

TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Planted:
    """A sound that was put into a clip on purpose, in seconds of media time."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class TruthScore:
    """How many planted sounds were found, and how many events belong to none of them."""

    planted: int
    found: int
    missed: tuple[Planted, ...]
    false: tuple[Event, ...]

    def to_json(self) -> dict[str, Any]:
        """The counts as plain data."""
        return {"planted": self.planted, "found": self.found, "false": len(self.false)}


def read_truth(path: Path) -> tuple[Planted, ...]:
    """The planted sounds of a truth file, in order of time."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Planted(sound["start_s"], sound["end_s"], sound["label"])
        for sound in sorted(raw["sounds"], key=lambda sound: sound["start_s"])
    )


def score_sounds(planted: Sequence[Planted], events: Iterable[Event]) -> TruthScore:
    """Each planted sound claims the event of its label whose start is nearest, within 0.5 s.

    An event can be claimed once; every event that nobody claims is false, a second event in the
    same sound too.
    """
    free = sorted(events, key=lambda event: event.span.start)
    missed = []
    for sound in planted:
        near = [
            event
            for event in free
            if event.label == sound.label
            and abs(float(event.span.start) - sound.start_s) <= TOLERANCE_S
        ]
        if near:
            free.remove(min(near, key=lambda event: abs(float(event.span.start) - sound.start_s)))
        else:
            missed.append(sound)
    return TruthScore(len(planted), len(planted) - len(missed), tuple(missed), tuple(free))
