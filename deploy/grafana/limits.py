"""From which values on a panel warns, and what colours say."""

from __future__ import annotations

GOOD, WARNING, BAD, PLAIN = "green", "orange", "red", "text"
GREY, BLUE = "#8e8e8e", "blue"
Steps = tuple[str | tuple[float, str], ...]
"""A colour, and from which values on which other ones."""

ANY: Steps = (GOOD, (1, BAD))
SOME: Steps = (GOOD, (1, WARNING))
STALE: Steps = (GOOD, (5, WARNING), (15, BAD))
"""Seconds without anything new: making a connection anew takes less than the first."""
LATE: Steps = (GOOD, (2, WARNING), (10, BAD))
"""Seconds that packets, or batches under way, are late."""
DELAYED: Steps = (GOOD, (1, WARNING), (5, BAD))
"""Seconds between what decided an event and its writing."""
LOST: Steps = (GOOD, (0.001, WARNING), (0.01, BAD))
"""Shares of what was wanted, or of what was skipped and looked at all the same."""
BUSY: Steps = (GOOD, (0.8, WARNING), (0.95, BAD))
"""Shares of time, or of memory: near the last one there is no room for anything more."""
USED: Steps = (GOOD, (0.85, WARNING), (0.95, BAD))
LITTLE_LEFT: Steps = (BAD, (0.05, WARNING), (0.15, GOOD))
"""Shares of a disk, used and free."""
STILL: Steps = (GOOD, (120, WARNING), (600, BAD))
"""Seconds without a video, or a part of one, that came to its end."""

PLAYS = {"0": ("down", BAD), "1": ("plays", GOOD)}
YES_OR_NO = {"0": ("no", BAD), "1": ("yes", GOOD)}
LOADED = {"0": ("loading", WARNING), "1": ("ready", GOOD)}
BOOKS = {
    "analysed": GOOD,
    "not sampled": GREY,
    "gated": BLUE,
    "dropped.*": WARNING,
    "failed.*": BAD,
}
STATES = {"todo": GREY, "before": BLUE, "done": GOOD, "partial": WARNING, "failed": BAD}
