"""How the preview draws what goes over time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from deploy.grafana.drawing.ink import (
    CARD,
    CYCLE,
    FAINT,
    GRID,
    INK,
    Series,
    colour_of,
    number_of,
    step_colour,
)

CHARACTERS_PER_INCH, LEGEND_SPACE = 17, 5
Span = tuple[float, float]
Marks = Sequence[tuple[str, Span]]


def graph(
    figure: Figure,
    axes: Axes,
    made: dict[str, Any],
    every: Sequence[Series],
    span: Span,
    marks: Marks,
) -> None:
    """Lines, areas or bars, under the marks of the dashboard."""
    defaults = made["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    plot = _plot(figure, axes, span)
    colours = _colours(made, every)
    if custom.get("drawStyle") == "bars":
        _bars(plot, every, colours, span)
    elif custom.get("stacking", {}).get("mode") == "normal":
        moments, values = _aligned(every)
        plot.stackplot([_day(one) for one in moments], values, colors=colours, alpha=0.75)
    else:
        for series, colour in zip(every, colours, strict=True):
            plot.plot(
                [_day(one) for one in series.moments], series.values, color=colour, linewidth=1.4
            )
    for colour, (begin, end) in marks:
        plot.axvspan(_day(begin), _day(end), color=colour_of(colour), alpha=0.13, linewidth=0)
    plot.set_ylim(0, defaults.get("max") or 1.05 * max(plot.get_ylim()[1], 1e-3))
    for step in defaults.get("thresholds", {"steps": []})["steps"]:
        if step["value"] is not None and step["value"] < plot.get_ylim()[1]:
            plot.axhline(step["value"], color=colour_of(step["color"]), linestyle="--", linewidth=1)
    unit = defaults.get("unit", "short")
    plot.yaxis.set_major_locator(MaxNLocator(4))
    plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_of(value, unit)))
    _names(figure, axes, [series.name for series in every], colours)


def timeline(
    figure: Figure, axes: Axes, made: dict[str, Any], every: Sequence[Series], span: Span
) -> None:
    """A row for each series, coloured by its values."""
    defaults = made["fieldConfig"]["defaults"]
    plot = _plot(figure, axes, span, left_in=1.1)
    for row, series in enumerate(reversed(every)):
        for begin, end, value in _runs(series):
            bar = (_day(begin), _day(end) - _day(begin))
            colour = step_colour(defaults, value)
            plot.broken_barh([bar], (row + 0.12, 0.76), facecolors=colour, linewidth=0)
    plot.set_ylim(0, len(every))
    plot.set_yticks([row + 0.5 for row in range(len(every))])
    plot.set_yticklabels([series.name for series in reversed(every)], fontsize=8)
    words = [word for one in defaults["mappings"] for word in one["options"].values()]
    _names(
        figure, axes, [word["text"] for word in words], [colour_of(word["color"]) for word in words]
    )


def _runs(series: Series) -> Iterator[tuple[float, float, float]]:
    """(from, to, value) of each stretch in which a series has the same value."""
    step = min(np.diff(series.moments), default=1.0)
    begin = last = series.moments[0]
    held = series.values[0]
    for moment, value in zip(series.moments, series.values, strict=True):
        if value != held or moment - last > 1.5 * step:
            yield begin, last + step if moment - last > 1.5 * step else moment, held
            begin, held = moment, value
        last = moment
    yield begin, last + step, held


def heat(
    figure: Figure, axes: Axes, made: dict[str, Any], every: Sequence[Series], span: Span
) -> None:
    """Observations by bucket: the darker, the more."""
    plot = _plot(figure, axes, span)
    rows = sorted(every, key=lambda series: float(series.labels["le"]))
    moments, cumulated = _aligned(rows)
    counts = np.maximum(np.diff(cumulated, axis=0, prepend=0), 0)
    edges = [_day(moment) for moment in moments]
    edges.append(2 * edges[-1] - edges[-2] if len(edges) > 1 else edges[-1] + 1e-4)
    shown = np.ma.masked_less_equal(counts, 1e-9)
    plot.pcolormesh(edges, range(len(rows) + 1), shown, cmap="Oranges", vmin=0)
    plot.set_yticks(range(1, len(rows) + 1))
    unit = made["fieldConfig"]["defaults"].get("unit", "short")
    bounds = [float(series.labels["le"]) for series in rows]
    plot.set_yticklabels([number_of(b, unit) if math.isfinite(b) else "more" for b in bounds])
    plot.tick_params(axis="y", labelsize=6)


def _plot(figure: Figure, axes: Axes, span: Span, left_in: float = 0.62) -> Axes:
    """Axes with a clock below, inside those of a panel; below them is room for names."""
    place = axes.get_position()
    width, height = figure.get_size_inches()
    left, below = left_in / width, 0.47 / height
    size = (place.width - left - 0.15 / width, place.height - below - 0.08 / height)
    plot: Axes = figure.add_axes((place.x0 + left, place.y0 + below, *size))
    plot.set_facecolor(CARD)
    plot.set_xlim(*(_day(second) for second in span))
    locator = dates.AutoDateLocator(minticks=2, maxticks=8)  # type: ignore[no-untyped-call]
    clock = dates.DateFormatter("%H:%M:%S", tz=UTC)  # type: ignore[no-untyped-call]
    plot.xaxis.set_major_locator(locator)
    plot.xaxis.set_major_formatter(clock)
    plot.tick_params(labelsize=7, colors=FAINT, length=0)
    plot.grid(color=GRID, linewidth=0.7)
    plot.set_axisbelow(True)
    for side in plot.spines.values():
        side.set_visible(False)
    return plot


def _bars(plot: Axes, every: Sequence[Series], colours: Sequence[str], span: Span) -> None:
    moments, values = _aligned(every)
    if not moments:
        return
    width = _day(span[0] + max(1.0, (span[1] - span[0]) / 120)) - _day(span[0])
    below = np.zeros(len(moments))
    for row, colour in zip(values, colours, strict=True):
        plot.bar([_day(m) for m in moments], row, width, below, color=colour, linewidth=0)
        below += row


def _day(second: float) -> float:
    """Unix seconds as matplotlib counts them."""
    day = dates.date2num(datetime.fromtimestamp(second, UTC))  # type: ignore[no-untyped-call]
    return float(day)


def _colours(made: dict[str, Any], every: Sequence[Series]) -> list[str]:
    """A colour for each series: that of its name, or the next one."""
    fixed = [
        (override["matcher"]["options"], override["properties"][0]["value"]["fixedColor"])
        for override in made["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byRegexp"
    ]
    return [
        next(
            (colour_of(colour) for name, colour in fixed if re.search(name, series.name)),
            CYCLE[number % len(CYCLE)],
        )
        for number, series in enumerate(every)
    ]


def _aligned(every: Sequence[Series]) -> tuple[list[float], Any]:
    """(moments, values (series, moments)): 0 where a series has no number."""
    moments = sorted({moment for series in every for moment in series.moments})
    place = {moment: index for index, moment in enumerate(moments)}
    values = np.zeros((len(every), len(moments)))
    for row, series in enumerate(every):
        for moment, value in zip(series.moments, series.values, strict=True):
            values[row, place[moment]] = value if math.isfinite(value) else 0.0
    return moments, values


def _names(figure: Figure, axes: Axes, names: Sequence[str], colours: Sequence[str]) -> None:
    """The names of the series, in two lines at most, below a graph."""
    width = axes.get_position().width * figure.get_size_inches()[0]
    longest = max(len(name) for name in names) + LEGEND_SPACE
    columns = min(max(1, int(width * CHARACTERS_PER_INCH / longest)), 4, len(names))
    told = list(zip(names, colours, strict=True))[: 2 * columns]
    if len(names) > len(told):
        told = [*told[:-1], (f"and {len(names) - len(told) + 1} more", CARD)]
    handles = [Rectangle((0, 0), 1, 1, facecolor=colour) for _, colour in told]
    axes.legend(
        handles,
        [name for name, _ in told],
        loc="lower left",
        ncols=columns,
        bbox_to_anchor=(0.0, -0.01),
        fontsize=7,
        frameon=False,
        handlelength=0.8,
        handleheight=0.5,
        columnspacing=0.9,
        handletextpad=0.4,
        borderaxespad=0.1,
        labelspacing=0.15,
        labelcolor=INK,
    )
