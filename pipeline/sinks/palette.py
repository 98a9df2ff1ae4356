"""One colour per label and per track, the same in the overlay and in the report.

The colours stay apart for red-green colour blindness too: six of Okabe and Ito's set
(https://jfly.uni-koeln.de/color/) and two that keep their distance on white and on black.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#cc79a7",
    "#7a5cd6",
    "#c9d44a",
)


def track_colour(track_id: int) -> str:
    """The `#rrggbb` of a track; neighbouring ids never share one."""
    return COLOURS[track_id % len(COLOURS)]


def label_colours(labels: Iterable[str]) -> dict[str, str]:
    """A `#rrggbb` for each label, different ones as long as there are enough.

    A label keeps its own colour from report to report, unless another of the same report that
    sorts before it wants the same one.
    """
    out: dict[str, str] = {}
    for label in sorted(set(labels)):
        wish = zlib.crc32(label.encode()) % len(COLOURS)
        taken = set(list(out.values())[len(out) - len(out) % len(COLOURS) :])
        while COLOURS[wish] in taken:
            wish = (wish + 1) % len(COLOURS)
        out[label] = COLOURS[wish]
    return out


def rgb(colour: str) -> tuple[int, int, int]:
    """The red, green and blue, 0..255, of a `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on a `#rrggbb` (WCAG contrast)."""
    red, green, blue = (_linear(channel / 255) for channel in rgb(colour))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
