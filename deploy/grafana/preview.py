"""Draws the dashboards out of a running Prometheus, for people who have no Grafana at hand.

`python -m deploy.grafana.preview --prometheus http://127.0.0.1:9090 --out docs/pictures` writes a
picture of each dashboard: the same panels in the same places, out of the same queries. How Grafana
would draw them it does not claim, and every picture says so. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from PIL import Image

from deploy.grafana.build import dashboards, files
from deploy.grafana.drawing import panels
from deploy.grafana.drawing.ink import INK, PAPER, WARN, Series
from deploy.grafana.queries import fill

POINTS = 180
COLOURS = 96
"""A picture of so many colours takes a third of what all of them take."""
WIDTH_IN, UNIT_IN, DPI = 16.0, 0.34, 80
MARGIN_IN = 0.08
TITLE_IN = 0.75


@dataclass(frozen=True)
class Shown:
    """What is asked: a Prometheus, from when to when, and Grafana's variables."""

    url: str
    start: float
    end: float
    values: dict[str, str]

    @property
    def step(self) -> float:
        """Seconds between points."""
        return max(1.0, (self.end - self.start) / POINTS)

    def of(self, target: dict[str, Any]) -> list[Series]:
        """The series of a panel's query: of points in time, or of the last one alone."""
        query = fill(target["expr"], self.values)
        if target.get("instant"):
            asked = {"query": query, "time": f"{self.end:.3f}"}
            found = self._api("query", asked)["result"]
            return [_series(target, one["metric"], [one["value"]]) for one in found]
        return [_series(target, one["metric"], one["values"]) for one in self._ranged(query)]

    def marks(self, query: str) -> Iterator[tuple[float, float]]:
        """From when to when a query gives something above 0."""
        for one in self._ranged(fill(query, self.values)):
            begun: float | None = None
            last = self.start
            for moment, value in one["values"]:
                if begun is not None and moment - last > 2 * self.step:
                    yield begun, last
                    begun = None
                if float(value) > 0 and begun is None:
                    begun = moment
                if float(value) <= 0 and begun is not None:
                    yield begun, moment
                    begun = None
                last = moment
            if begun is not None:
                yield begun, last

    def values_of(self, label: str) -> list[str]:
        """The values that a label has."""
        return sorted(self._api(f"label/{label}/values", {}))

    def _ranged(self, query: str) -> list[dict[str, Any]]:
        asked = {"query": query, "start": f"{self.start:.3f}", "end": f"{self.end:.3f}"}
        found: list[dict[str, Any]] = self._api(
            "query_range", {**asked, "step": f"{self.step:.3f}"}
        )["result"]
        return found

    def _api(self, path: str, asked: dict[str, str]) -> Any:
        words = urllib.parse.urlencode(asked)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{words}", timeout=30) as answer:
            return json.loads(answer.read())["data"]


def _series(target: dict[str, Any], labels: dict[str, str], points: Sequence[Any]) -> Series:
    legend = target["legendFormat"]
    if legend == "__auto":
        name = ", ".join(sorted(labels.values()))
    else:
        name = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)
    moments = [float(moment) for moment, _ in points]
    return Series(name.strip(), labels, moments, [float(value) for _, value in points])


def draw(made: dict[str, Any], shown: Shown, path: Path) -> None:
    """Writes a picture of a dashboard."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in made["panels"])
    height_in = rows * UNIT_IN + TITLE_IN
    figure = plt.figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)
    top = 1 - 0.3 / height_in
    figure.text(0.008, top, made["title"], fontsize=15, weight="bold", color=INK, va="top")
    told = "preview drawn by matplotlib, not Grafana"
    figure.text(0.992, top, told, fontsize=11, color=WARN, ha="right", va="top")
    marks = [
        (mark["iconColor"], span)
        for mark in made["annotations"]["list"]
        for span in shown.marks(mark["expr"])
    ]
    for panel in made["panels"]:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        bottom = 1 - (TITLE_IN + (place["y"] + place["h"]) * UNIT_IN) / height_in
        box = (left, bottom, width, place["h"] * UNIT_IN / height_in)
        if panel["type"] == "row":
            panels.heading(figure, box, fill(panel["title"], shown.values))
            continue
        inner = panels.card(figure, box, MARGIN_IN / WIDTH_IN, MARGIN_IN / height_in)
        found = [shown.of(target) for target in panel["targets"]]
        panels.panel(figure, inner, panel, found, (shown.start, shown.end), marks)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    """Draws every dashboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--minutes", type=float, default=60.0, help="how far back to look")
    parser.add_argument("--scrape-s", type=float, default=5.0, help="how often is scraped")
    parser.add_argument("--until", type=float, help="Unix seconds; else now")
    parser.add_argument("--only", choices=sorted(dashboards()), help="one dashboard; else all")
    parser.add_argument("--stream", help="the stream to show; else the first")
    parser.add_argument("--lane", help="the lane to show of it; else the first")
    asked = parser.parse_args()
    end = asked.until or time.time()
    shown = Shown(asked.prometheus, end - 60 * asked.minutes, end, {})
    window = max(4 * asked.scrape_s, shown.step + asked.scrape_s)
    streams, lanes = shown.values_of("stream"), shown.values_of("lane")
    shown.values.update(
        {
            "__rate_interval": f"{round(window)}s",
            "__range": f"{round(60 * asked.minutes)}s",
            "instance": ".*",
            "stream": asked.stream or next(iter(streams), ""),
        }
    )
    told = files()
    for name in [asked.only] if asked.only else dashboards():
        lane = asked.lane or next(iter(lanes), "")
        shown.values["lane"] = lane if name == "stream" else ".*"
        made = json.loads(told[f"dashboards/{name}.json"])
        draw(made, shown, asked.out / f"dashboard-{name}.png")


if __name__ == "__main__":
    main()
