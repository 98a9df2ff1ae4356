"""What is going on, by rule, from where people's feet are: the truth the action network learns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LABELS = (
    "empty",
    "standing",
    "walking_left",
    "walking_right",
    "both_ways",
    "gathering",
    "parting",
)
UNCLEAR = -1
WINDOW_S = 2.0
FORESHORTENING = 0.35  # how much shorter a metre into the picture is than one across it
MOVING = 0.3  # heights per second; people walk at 0.6 to 0.9
STILL = 0.15
SIDEWAYS = 0.15
MOST = 0.8
CLOSER = 0.8
APART = 1.25
STEADY = (0.9, 1.11)
MIXED = 0.7
FEW = 0.3


def label_motion(
    feet: NDArray[np.floating], heights: NDArray[np.floating], rate_hz: float
) -> NDArray[np.int64]:
    """The number of the label (of `LABELS`) at every step, or -1 where the rule will not say.

    `feet` (T, N, 2) are pixels, NaN while a person is out of view; `heights` (T, N) is how tall a
    person looks there. What is said of a step rests on the last two seconds: where everyone who is
    in view both then and now has gone, in heights per second, and whether they came closer.
    """
    steps = len(feet)
    back = max(1, round(WINDOW_S * rate_hz))
    labels = np.full(steps, UNCLEAR, dtype=np.int64)
    present = ~np.isnan(feet[..., 0])
    for step in range(steps):
        first = max(0, step - back)
        if not present[first : step + 1].any():
            labels[step] = LABELS.index("empty")
        elif step >= back:
            both = present[step] & present[first]
            if both.any() and both.sum() * 2 >= present[step].sum():
                labels[step] = _label(feet[first, both], feet[step, both], heights[step, both])
    return labels


def _label(
    then: NDArray[np.floating], now: NDArray[np.floating], heights: NDArray[np.floating]
) -> int:
    speed = (now - then) / heights[:, None] / (1, FORESHORTENING) / WINDOW_S
    fast = np.hypot(speed[:, 0], speed[:, 1])
    moving = fast > MOVING
    if not moving.any():
        return LABELS.index("standing") if (fast < STILL).mean() >= MOST else UNCLEAR
    if moving.mean() < 0.5:
        return UNCLEAR
    left = (speed[moving, 0] < -SIDEWAYS).mean()
    right = (speed[moving, 0] > SIDEWAYS).mean()
    if left >= MOST:
        return LABELS.index("walking_left")
    if right >= MOST:
        return LABELS.index("walking_right")
    if max(left, right) > MIXED:
        return UNCLEAR
    before, after = _spread(then), _spread(now)
    # People in one and the same place neither gather nor part: their spreads are rounding alone.
    change = 1.0 if max(before, after) < 1e-6 else after / max(before, 1e-6)
    if len(now) > 1 and change <= CLOSER:
        return LABELS.index("gathering")
    if len(now) > 1 and change >= APART:
        return LABELS.index("parting")
    if STEADY[0] <= change <= STEADY[1] and min(left, right) >= FEW:
        return LABELS.index("both_ways")
    return UNCLEAR


def _spread(feet: NDArray[np.floating]) -> float:
    """The mean distance from the middle, on the ground."""
    ground = feet / (1, FORESHORTENING)
    apart = ground - ground.mean(0)
    return float(np.hypot(apart[:, 0], apart[:, 1]).mean())
