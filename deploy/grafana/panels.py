"""How panels look: one function for each kind, on top of Grafana's own builders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    FieldTextAlignment,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.limits import PLAIN, Steps

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
TO_STREAM = "/d/witness-stream?var-stream={}&${{datasource:queryparam}}&${{__url_time_range}}"
"""The dashboard of one stream, with the data source and the time that are shown now."""
P = TypeVar(
    "P",
    bargauge.Panel,
    heatmap.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, and what its series are called."""

    query: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What stands over a panel, behind its (i), the unit of its numbers, and its size."""

    title: str
    told: str
    unit: str = ""
    width: int = 12
    height: int = 8
    decimals: int | None = None


def small(
    title: str, told: str, unit: str = "short", *, width: int = 3, decimals: int | None = None
) -> About:
    """About a number among others in a line."""
    return About(title, told, unit, width, 4, decimals)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: a query with one series for each row, and how its values are told."""

    title: str
    query: str
    unit: str = "short"
    steps: Steps = ()
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None


def graph(
    about: About,
    *asks: Ask,
    steps: Steps = (),
    colours: Mapping[str, str] | None = None,
    stacked: bool = False,
    bars: bool = False,
    exemplars: bool = False,
    highest: float | None = None,
    link: str = "",
) -> timeseries.Panel:
    """Lines over time from 0 up; steps are drawn across them.

    `colours` are of series by regular expressions. `link` is where a click on a series leads.
    """
    panel = _panel(timeseries.Panel(), about, asks, exemplars=exemplars)
    panel.min(0).line_width(1 if stacked or bars else 2)
    panel.fill_opacity(60 if stacked or bars else 8)
    panel.show_points(VisibilityMode.NEVER).span_nulls(False)
    if bars:
        panel.draw_style(GraphDrawStyle.BARS)
    if stacked or bars:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if highest is not None:
        panel.max(highest)
    if steps:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        )
    for series, colour in (colours or {}).items():
        panel.override_by_regexp(series, [_colour(colour)])
    if link:
        panel.data_links([dashboard.DashboardLink("Look at this stream").url(link)])
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
    panel.tooltip(tooltip.sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    return panel.legend(legend.placement(LegendPlacement.BOTTOM).show_legend(True))


def number(
    about: About,
    *asks: Ask,
    steps: Steps = (PLAIN,),
    words: Mapping[str, tuple[str, str]] | None = None,
    absent: str = "no data",
) -> stat.Panel:
    """What is so now, big; `words` are (text, colour) for values."""
    panel = _panel(stat.Panel(), about, asks, instant=True)
    panel.thresholds(_thresholds(steps)).no_value(absent)
    panel.graph_mode(BigValueGraphMode.NONE).orientation(VizOrientation.AUTO)
    plain = steps == (PLAIN,) and not words
    panel.color_mode(BigValueColorMode.VALUE if plain else BigValueColorMode.BACKGROUND)
    panel.text_mode(BigValueTextMode.VALUE_AND_NAME if len(asks) > 1 else BigValueTextMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.mappings([_mapping(words)]) if words else panel


def levels(about: About, *asks: Ask, steps: Steps, highest: float | None = None) -> bargauge.Panel:
    """A bar for each series with what is so now."""
    panel = _panel(bargauge.Panel(), about, asks, instant=True)
    panel.thresholds(_thresholds(steps)).min(0)
    panel.display_mode(BarGaugeDisplayMode.BASIC).orientation(VizOrientation.HORIZONTAL)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return panel.max(highest) if highest is not None else panel


def timeline(
    about: About, *asks: Ask, words: Mapping[str, tuple[str, str]], rows: int = 20
) -> statetimeline.Panel:
    """A row for each series, coloured by the words for its values; pages of so many rows."""
    panel = _panel(statetimeline.Panel(), about, asks)
    panel.mappings([_mapping(words)]).merge_values(True).per_page(rows)
    panel.show_value(VisibilityMode.NEVER).fill_opacity(80).row_height(0.8)
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.thresholds(_thresholds((PLAIN,)))
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    return panel.legend(legend.placement(LegendPlacement.BOTTOM).show_legend(True))


def heat(about: About, query: str) -> heatmap.Panel:
    """How many observations of a histogram fell into which bucket, over time."""
    panel = _panel(heatmap.Panel(), about, [Ask(query, "{{le}}")], form=PromQueryFormat.HEATMAP)
    panel.calculate(False).cell_gap(1).hide_legend()
    panel.scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LINEAR))
    return panel.y_axis(heatmap.YAxisConfig().unit(about.unit))


def rows_of(
    about: About, label: str, title: str, columns: Sequence[Column], *, link: str = "", sort: str
) -> table.Panel:
    """A table with a row for each value of a label; it begins with the least value of `sort`."""
    asks = [Ask(column.query) for column in columns]
    panel = _panel(table.Panel(), about, asks, instant=True, form=PromQueryFormat.TABLE)
    names = {label: title} | {
        f"Value #{_letter(number)}": column.title for number, column in enumerate(columns)
    }
    panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(_organized(names, hidden=("Time",)))
    for column in columns:
        panel.override_by_name(column.title, _told(column))
    if link:
        panel.override_by_name(
            title, [DynamicConfigValue("links", [{"title": "Look closer", "url": link}])]
        )
    panel.align(FieldTextAlignment.AUTO).sort_by(
        [common.TableSortByFieldState().display_name(sort).desc(False)]
    )
    return panel.footer(common.TableFooterOptions().show(False).enable_pagination(True))


def labels_of(
    about: About, query: str, names: Mapping[str, str], hidden: Sequence[str] = ()
) -> table.Panel:
    """A table of the labels of a metric whose value tells nothing; `names` are their titles."""
    panel = _panel(table.Panel(), about, [Ask(query)], instant=True, form=PromQueryFormat.TABLE)
    unseen = ("Time", "Value", "__name__", "job", *hidden)
    panel.align(FieldTextAlignment.AUTO)
    return panel.with_transformation(_organized(names, unseen))


def _panel(
    panel: P,
    about: About,
    asks: Sequence[Ask],
    *,
    instant: bool = False,
    exemplars: bool = False,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> P:
    """The panel with what all kinds have in common."""
    panel.title(about.title).description(about.told).datasource(SOURCE)
    panel.span(about.width).height(about.height)
    if about.unit:
        panel.unit(about.unit)
    if about.decimals is not None:
        panel.decimals(about.decimals)
    for index, ask in enumerate(asks):
        target = prometheus.Dataquery().expr(ask.query).ref_id(_letter(index)).datasource(SOURCE)
        target.legend_format(ask.legend or "__auto").format(form)
        target = target.instant() if instant else target.range()
        panel.with_target(target.exemplar(True) if exemplars else target)
    return panel


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    told = [
        Threshold(None, step) if isinstance(step, str) else Threshold(step[0], step[1])
        for step in steps
    ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(told)


def _mapping(words: Mapping[str, tuple[str, str]]) -> ValueMap:
    return ValueMap(
        {
            value: ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )


def _told(column: Column) -> list[DynamicConfigValue]:
    """How the values of a column are told."""
    told = [DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        told.append(DynamicConfigValue("decimals", column.decimals))
    if column.steps:
        told.append(DynamicConfigValue("thresholds", _thresholds(column.steps).build()))
    if column.words:
        told.append(DynamicConfigValue("mappings", [_mapping(column.words)]))
    if column.steps or column.words:
        told.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return told


def _organized(names: Mapping[str, str], hidden: Sequence[str]) -> DataTransformerConfig:
    """The columns in the order of their names; hidden ones are left out."""
    options: dict[str, Any] = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": dict(names),
    }
    return DataTransformerConfig(id_val="organize", options=options)


def _colour(colour: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _letter(index: int) -> str:
    return chr(ord("A") + index)
