"""How the preview draws panels: their ground, numbers, bars and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deploy.grafana.drawing.graphs import Marks, Span, graph, heat, timeline
from deploy.grafana.drawing.ink import (
    CARD,
    FAINT,
    GRID,
    INK,
    Box,
    Series,
    step_colour,
    text_of,
)

MOST_ROWS = 9
Cell = tuple[str, str]
"""A text and its colour."""


def heading(figure: Figure, box: Box, title: str) -> None:
    """The heading of a row."""
    left, bottom, _, height = box
    middle = bottom + height / 2
    figure.text(left + 0.006, middle, title, fontsize=11, weight="bold", color=INK, va="center")


def card(figure: Figure, box: Box, margin_x: float, margin_y: float) -> Box:
    """Draws the ground of a panel; what of it is left inside the margins."""
    left, bottom, width, height = box
    inner = (left + margin_x, bottom + margin_y, width - 2 * margin_x, height - 2 * margin_y)
    ground = Rectangle(inner[:2], inner[2], inner[3], facecolor=CARD, edgecolor=GRID)
    ground.set_transform(figure.transFigure)
    ground.set_zorder(-2)
    figure.add_artist(ground)
    return inner


def panel(
    figure: Figure,
    box: Box,
    made: dict[str, Any],
    found: Sequence[list[Series]],
    span: Span,
    marks: Marks,
) -> None:
    """Draws a panel of any kind into a box of the figure."""
    left, bottom, width, height = box
    line = 0.26 / figure.get_figheight()
    top = bottom + height - line / 2
    figure.text(left + 0.005, top, made["title"], fontsize=9, color=INK, va="center")
    axes = figure.add_axes((left, bottom, width, height - line))
    axes.set_axis_off()
    every = [series for one in found for series in one]
    if not every:
        axes.text(0.5, 0.5, _absent(made), ha="center", va="center", color=FAINT, fontsize=11)
        return
    kinds: dict[str, Callable[[], None]] = {
        "stat": lambda: _number(axes, made, every),
        "bargauge": lambda: _levels(axes, made, every),
        "table": lambda: _table(axes, made, found),
        "timeseries": lambda: graph(figure, axes, made, every, span, marks),
        "state-timeline": lambda: timeline(figure, axes, made, every, span),
        "heatmap": lambda: heat(figure, axes, made, every, span),
    }
    kinds[made["type"]]()


def _absent(made: dict[str, Any]) -> str:
    return str(made["fieldConfig"]["defaults"].get("noValue", "no data"))


def _number(axes: Axes, made: dict[str, Any], every: Sequence[Series]) -> None:
    defaults = made["fieldConfig"]["defaults"]
    filled = made["options"]["colorMode"] == "background"
    width = 1 / len(every)
    for index, series in enumerate(every):
        value = series.values[-1]
        colour = step_colour(defaults, value)
        ink = "white" if filled and colour != INK else INK
        if filled:
            size = (width - 0.04, 0.86)
            axes.add_patch(Rectangle((index * width + 0.02, 0.06), *size, facecolor=colour))
        text = _absent(made) if math.isnan(value) else text_of(defaults, value)
        place = (index + 0.5) * width
        big = 22 if len(text) * len(every) < 9 else 15
        axes.text(place, 0.5, text, fontsize=big, color=ink, ha="center", va="center")
        if len(every) > 1:
            axes.text(place, 0.22, series.name, fontsize=9, color=ink, ha="center", va="center")


def _levels(axes: Axes, made: dict[str, Any], every: Sequence[Series]) -> None:
    defaults = made["fieldConfig"]["defaults"]
    most = defaults.get("max") or max(series.values[-1] for series in every) or 1
    height = min(0.9 / len(every), 0.3)
    for index, series in enumerate(every):
        value = series.values[-1]
        bottom = 0.93 - (index + 1) * height
        for share, colour in ((1.0, GRID), (value / most, step_colour(defaults, value))):
            size = (0.74 * min(share, 1), height * 0.42)
            axes.add_patch(Rectangle((0.03, bottom), *size, facecolor=colour))
        axes.text(0.03, bottom + height * 0.55, series.name, fontsize=8, color=INK)
        middle = bottom + height * 0.21
        axes.text(0.79, middle, text_of(defaults, value), fontsize=11, va="center", color=INK)


def _table(axes: Axes, made: dict[str, Any], found: Sequence[list[Series]]) -> None:
    changes = made["transformations"]
    organized = next(one for one in changes if one["id"] == "organize")["options"]
    names = organized["renameByName"]
    if any(one["id"] == "merge" for one in changes):
        heads, rows = _merged(made, found, organized)
    else:
        hidden = organized["excludeByName"]
        labels = sorted({label for series in found[0] for label in series.labels} - set(hidden))
        labels.sort(key=lambda label: organized["indexByName"].get(label, len(names)))
        heads = [names.get(label, label) for label in labels]
        rows = [[(one.labels.get(label, ""), INK) for label in labels] for one in found[0]]
    widths = [
        max(len(head), *(len(row[column][0]) for row in rows)) + 2
        for column, head in enumerate(heads)
    ]
    lefts = [sum(widths[:column]) / sum(widths) for column in range(len(heads))]
    lines = [[(head, FAINT) for head in heads], *rows[:MOST_ROWS]]
    for number, line in enumerate(lines):
        y = 0.93 - number * 0.86 / max(5, min(len(rows), MOST_ROWS) + 1)
        for left, (text, colour) in zip(lefts, line, strict=True):
            axes.text(0.02 + 0.97 * left, y, text, fontsize=8.5, color=colour, va="center")


def _merged(
    made: dict[str, Any], found: Sequence[list[Series]], organized: dict[str, Any]
) -> tuple[list[str], list[list[Cell]]]:
    """Heads and rows of a table with a row for each value of a label."""
    names = organized["renameByName"]
    label = next(name for name, place in organized["indexByName"].items() if place == 0)
    columns = [names[f"Value #{target['refId']}"] for target in made["targets"]]
    told = {
        override["matcher"]["options"]: {one["id"]: one["value"] for one in override["properties"]}
        for override in made["fieldConfig"]["overrides"]
    }
    values = [{one.labels.get(label, ""): one.values[-1] for one in series} for series in found]
    keys = sorted({key for column in values for key in column})
    keys.sort(key=lambda key: values[0].get(key, math.inf))
    rows = []
    for key in keys:
        cells = [(key, INK)]
        for title, column in zip(columns, values, strict=True):
            value = column.get(key, math.nan)
            cells.append((text_of(told[title], value), step_colour(told[title], value)))
        rows.append(cells)
    return [names[label], *columns], rows
