"""What stands around the panels of a dashboard: variables, marks over the graphs, and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.panels import SOURCE
from deploy.grafana.queries import ALERTS, grown, of

TAG = "witness"
SOURCE_UID, SOURCE_NAME = "witness-prometheus", "witness"
MARK_KEYS = ("step", "tagKeys", "textFormat", "titleFormat")
"""What Grafana reads of a mark out of Prometheus and the Foundation SDK has no field for."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading; `repeat` is a variable that has such a row for each of its values."""

    title: str
    panels: Sequence[Builder[Panel]]
    repeat: str = ""


class Mark(AnnotationQuery, Builder[AnnotationQuery]):
    """A mark over every graph for as long as a query gives something above 0."""

    def __init__(self, name: str, query: str, colour: str, title: str, text: str, tag: str) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=colour, expr=query)
        self._told = dict(zip(MARK_KEYS, ("10s", tag, text, title), strict=True))

    def to_json(self) -> dict[str, object]:
        """The SDK's fields and those that it does not have."""
        return super().to_json() | self._told

    def build(self) -> AnnotationQuery:
        """Itself: what the SDK asks of whatever describes a mark."""
        return self


def alerts(*conditions: str) -> Mark:
    """Marks alerts that fire and meet these conditions."""
    chosen = ", ".join(['alertstate="firing"', *conditions])
    query = f"{ALERTS}{{{chosen}}}"
    return Mark("Alerts", query, "red", "{{alertname}}", "{{stream}}", "severity")


def outages_of_fleet() -> Mark:
    """Marks when streams went down, by reason."""
    query = f"sum by (reason) ({grown('stream_outages')}) > 0"
    return Mark("Outages", query, "orange", "Outages", "{{reason}}", "reason")


def outages_of_stream() -> Mark:
    """Marks how long the chosen stream was down."""
    down = f"{of('stream_up', stream='$stream')} == bool 0"
    return Mark("Outages", down, "orange", "Down", "{{stream}}", "stream")


def source() -> Builder[VariableModel]:
    """Which Prometheus to ask."""
    chosen = VariableOption(text=SOURCE_NAME, value=SOURCE_UID, selected=True)
    variable = dashboard.DatasourceVariable("datasource").label("Data source")
    return variable.type("prometheus").current(chosen)


def one(name: str, label: str, series: str) -> Builder[VariableModel]:
    """One value of a label that these series have."""
    return _values(name, label, series)


def some(name: str, label: str, series: str) -> Builder[VariableModel]:
    """Any number of the values of a label that these series have; all of them at first."""
    every = VariableOption(text="All", value="$__all", selected=True)
    variable = _values(name, label, series)
    return variable.multi(True).include_all(True).all_value(".*").current(every)


def _values(name: str, label: str, series: str) -> dashboard.QueryVariable:
    asked: dict[str, Any] = {"query": f"label_values({series}, {name})", "refId": name}
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(asked)
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    return variable.sort(VariableSort.NATURAL_ASC)


def framed(
    uid: str,
    title: str,
    told: str,
    variables: Sequence[Builder[VariableModel]],
    marks: Sequence[Mark],
    rows: Sequence[Row],
) -> Dashboard:
    """The dashboard: rows of panels from left to right, links to the other ones on top."""
    made = dashboard.Dashboard(title).uid(uid).description(told).tags([TAG]).editable()
    made.time("now-1h", "now").refresh("10s").timezone("browser")
    made.tooltip(DashboardCursorSync.CROSSHAIR)
    made.variables([source(), *variables]).annotations(list(marks))
    made.link(
        dashboard.DashboardLink("witness")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True)
    )
    identity = 0
    for row in rows:
        identity += 1
        heading = dashboard.Row(row.title).id(identity)
        made.with_row(heading.repeat(row.repeat) if row.repeat else heading)
        for panel in row.panels:
            identity += 1
            panel.build().id_val = identity
            made.with_panel(panel)
    return made.build()
