"""The rules for events: those that find what was planted are the ones that are chosen."""

from __future__ import annotations

import numpy as np

from models.training.sound_mix import Planted
from models.training.sound_tune import GRID, Heard, find_in, tune

LABELS = ("background", "bell")
HOPS = 100


def heard(level: float, blip: float) -> Heard:
    """Logits of ten seconds with a bell from second 3 to 4, and a blip of 0.3 s with no bell."""
    logits = np.zeros((HOPS, 2))
    logits[:, 0] = 4.0
    logits[30:40, 1] = 4.0 + level
    logits[70:73, 1] = 4.0 + blip
    return logits, [Planted(3.0, 4.0, "bell")]


def test_a_blip_as_loud_as_the_bell_calls_for_rules_that_want_length() -> None:
    streams = [heard(level=4.0, blip=4.0)]
    best = find_in(streams, LABELS, tune(streams, LABELS))
    assert (best.planted, best.recall, best.precision) == (1, 1.0, 1.0)
    assert any(find_in(streams, LABELS, rules).precision < 1 for rules in GRID)


def test_a_faint_bell_calls_for_a_low_threshold() -> None:
    streams = [heard(level=0.4, blip=-4.0)]
    assert find_in(streams, LABELS, tune(streams, LABELS)).recall == 1.0
    assert any(find_in(streams, LABELS, rules).recall == 0 for rules in GRID)
