"""Queries whose metrics and labels the table of metrics vouches for: a renamed one breaks here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deploy.prometheus.series import PLANNED
from pipeline.metrics import BY_NAME

WINDOW = "$__rate_interval"
"""What a rate is taken over: Grafana makes it four scrapes long at least."""
RANGE = "$__range"
"""All the time that the dashboard shows."""
ALERTS = "ALERTS"
"""Prometheus' own metric of the alerts that fire or are about to."""
SCRAPE_LABELS = frozenset({"job", "instance"})
_ENDINGS = {"histogram": {"_bucket", "_sum", "_count"}}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


def of(name: str, ending: str = "", **labels: str) -> str:
    """The series of a metric of the table with these labels.

    `~` begins a regular expression, `!` one that must not match. `ending` is what follows a
    histogram's name. Raises for a metric or a label that is not there.
    """
    metric = BY_NAME[name]
    if unknown := labels.keys() - set(metric.labels) - SCRAPE_LABELS:
        message = f"{metric.full_name} has no label {sorted(unknown)}"
        raise ValueError(message)
    if ending not in _ENDINGS.get(metric.kind, {""}):
        message = f"{metric.full_name} is a {metric.kind}: it has no {ending!r}"
        raise ValueError(message)
    chosen = ", ".join(f"{label}{_matched(value)}" for label, value in labels.items())
    return f"{metric.full_name}{ending}" + (f"{{{chosen}}}" if chosen else "")


def _matched(value: str) -> str:
    sign = {"~": "=~", "!": "!~"}.get(value[:1])
    return f'{sign}"{value[1:]}"' if sign else f'="{value}"'


def rate(name: str, ending: str = "", **labels: str) -> str:
    """How fast a counter grows, for each second."""
    return f"rate({of(name, ending, **labels)}[{WINDOW}])"


def grown(name: str, over: str = WINDOW, **labels: str) -> str:
    """By how much a counter of rare things has grown.

    Its series begins with the first of them, which `increase` cannot see: a series that was not
    there before counts in full.
    """
    series = of(name, **labels)
    return f"(({series} unless {series} offset {over}) or increase({series}[{over}]))"


def some_of(by: str, name: str, **labels: str) -> str:
    """By how much a counter of rare things has grown, where it has, by these labels."""
    return f"{total(by, grown(name, **labels))} > 0"


def total(by: str, query: str) -> str:
    """The sum of series that have these labels in common; of all of them for an empty `by`."""
    return f"sum by ({by}) ({query})" if by else f"sum({query})"


def quantile(share: float, name: str, by: str = "", **labels: str) -> str:
    """The value that this share of a histogram's observations do not exceed."""
    kept = ", ".join(filter(None, ["le", by]))
    return f"histogram_quantile({share:g}, {total(kept, rate(name, '_bucket', **labels))})"


def buckets(name: str, **labels: str) -> str:
    """A histogram's observations by bucket, for a heatmap."""
    return f"sum by (le) (increase({of(name, '_bucket', **labels)}[{WINDOW}]))"


def lost(**labels: str) -> str:
    """Frames or samples that were lost: dropped though nobody had planned it, or failed."""
    unplanned = grown("dropped", reason=f"!{'|'.join(PLANNED)}", **labels)
    return f"({unplanned} or {grown('failed', **labels)})"


def share_of_wanted(part: str, by: str, more: str = "", others: str = "") -> str:
    """What share of the wanted frames or samples this part is, by lane and `more`.

    Wanted are those that were analysed, this part, and others: what a sampler or a gate left out
    was not. Frames and samples are never added up: there are as many shares as lanes.
    """
    analysed = f"increase({of('analysed')}[{WINDOW}])"
    wanted = total(by, " or ".join(filter(None, [analysed, part, others])))
    kept = ", ".join(filter(None, [by, more]))
    return f"{total(kept, part)} / on ({by}) group_left () {wanted}"


def fill(query: str, values: Mapping[str, str]) -> str:
    """The query with Grafana's variables filled in. Raises KeyError for one that has no value."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], query)
