"""Colours, and numbers as words, for the preview."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

PAPER, CARD, INK = "#f4f5f5", "#ffffff", "#24292e"
FAINT, GRID, WARN = "#6e7782", "#e4e7e7", "#b3261e"
COLOURS = {
    "green": "#56a64b",
    "orange": "#ff9830",
    "red": "#e02f44",
    "blue": "#3274d9",
    "text": INK,
}
CYCLE = ("#3274d9", "#ff9830", "#56a64b", "#a352cc", "#e02f44", "#37872d", "#19b5c8", "#c4a000")
_SECONDS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "us"))
_SHORT = ((1e9, " B"), (1e6, " M"), (1e3, " K"), (0, ""))
_BYTES = ((2**40, " TiB"), (2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (0, " B"))
_AFTER = {"cps": " /s", "epm": " /min"}
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Series:
    """A series of a query: its name, labels, moments (Unix seconds) and values."""

    name: str
    labels: dict[str, str]
    moments: list[float]
    values: list[float]


def number_of(value: float, unit: str, decimals: int | None = None) -> str:
    """A value with its unit, as short as one reads it."""
    if not math.isfinite(value):
        return "-"
    if unit == "percentunit":
        return f"{_rounded(100 * value, decimals)}%"
    if unit == "s":
        scale, name = next((one for one in _SECONDS if abs(value) >= one[0]), (1, "s"))
        return f"{_rounded(value / scale, decimals)} {name}"
    steps = _BYTES if unit == "bytes" else _SHORT
    scale, name = next(one for one in steps if abs(value) >= one[0])
    after = unit.removeprefix("suffix:") if unit.startswith("suffix:") else _AFTER.get(unit, "")
    return f"{_rounded(value / (scale or 1), decimals)}{name}{after}"


def colour_of(colour: str) -> str:
    """A colour of Grafana's names as matplotlib takes it."""
    return COLOURS.get(colour, colour)


def step_colour(defaults: dict[str, Any], value: float) -> str:
    """The colour that a value has by the words for it, or by the thresholds."""
    if (word := _word(defaults, value)) is not None:
        return colour_of(word["color"])
    colour = "text"
    for step in defaults.get("thresholds", {"steps": []})["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = step["color"]
    return colour_of(colour)


def text_of(defaults: dict[str, Any], value: float) -> str:
    """The text for a value: a word for it, or the number with its unit."""
    if (word := _word(defaults, value)) is not None:
        return str(word["text"])
    return number_of(value, defaults.get("unit", "short"), defaults.get("decimals"))


def _word(defaults: dict[str, Any], value: float) -> dict[str, Any] | None:
    words = {}
    for mapping in defaults.get("mappings", ()):
        words.update(mapping["options"])
    return words.get(f"{value:g}")


def _rounded(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
