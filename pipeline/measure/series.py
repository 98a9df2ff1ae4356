"""The series of every metric of the table: fed by some threads, told by another.

They are kept here and not in prometheus_client's own objects because of what telling costs: with
1,000 streams that library spends seconds of processor time on a page, most of it on names and
labels that are the same every time. Here a series knows its line up to the value.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

from pipeline.metrics import BY_NAME, PREFIX, TABLE, Metric

OPENMETRICS = "application/openmetrics-text"
EXEMPLAR_CHARACTERS = 128
"""So long may the names and values of an exemplar's labels be together (OpenMetrics 1.0)."""
_ENDINGS = {"counter": "_total", "gauge": "", "info": "_info"}
Labels = tuple[str, ...]


@dataclass(slots=True)
class _Number:
    """A counter, a gauge or an info: how its line begins, and its value."""

    head: str
    labels: Mapping[str, str]
    value: float = 0.0
    exemplar: str = ""

    def lines(self, *, openmetrics: bool) -> str:
        return f"{self.head}{self.value!r}{self.exemplar if openmetrics else ''}\n"

    def samples(self, name: str, ending: str) -> Iterator[tuple[str, dict[str, str], float]]:
        yield f"{name}{ending}", dict(self.labels), self.value


@dataclass(slots=True)
class _Buckets:
    """A histogram: how its lines begin, how many values fell into each bucket, and their sum."""

    heads: tuple[str, ...]
    bounds: tuple[float, ...]
    labels: Mapping[str, str]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def lines(self, *, openmetrics: bool) -> str:
        counts = list(accumulate(self.counts))
        values = [*map(float, counts), float(counts[-1]), self.total]
        return "".join(f"{head}{value!r}\n" for head, value in zip(self.heads, values, strict=True))

    def samples(self, name: str, ending: str) -> Iterator[tuple[str, dict[str, str], float]]:
        counts = list(accumulate(self.counts))
        for bound, count in zip(_told(self.bounds), counts, strict=True):
            yield f"{name}_bucket", {**self.labels, "le": bound}, float(count)
        yield f"{name}_count", dict(self.labels), float(counts[-1])
        yield f"{name}_sum", dict(self.labels), self.total


class Series:
    """Values by metric and labels; a counter never falls, whatever total it is told.

    Of streams that have ended nothing is taken any more until they `begin` again: news of them may
    come late. All methods may be called by any thread.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lock = Lock()
        self._series: dict[str, dict[Labels, Any]] = {metric.name: {} for metric in TABLE}
        self._of_stream: dict[str, list[tuple[str, Labels]]] = {}
        self._ended: set[str] = set()
        self.registry.register(self)

    def add(
        self, name: str, *labels: str, by: float = 1.0, exemplar: Mapping[str, str] | None = None
    ) -> None:
        """Raises a counter, or moves a gauge, of the table."""
        with self._lock:
            series = self._of(name, labels)
            if series is not None:
                series.value += by
                if exemplar:
                    series.exemplar = _exemplar(exemplar, by)

    def put(self, name: str, value: float, *labels: str) -> None:
        """Sets a gauge of the table."""
        with self._lock:
            series = self._of(name, labels)
            if series is not None:
                series.value = float(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Puts a value into a histogram of the table."""
        with self._lock:
            series = self._of(name, labels)
            if series is not None:
                series.counts[bisect_left(series.bounds, value)] += 1
                series.total += value

    def raise_to(self, name: str, total: float, *labels: str) -> None:
        """Raises a counter of the table to a total; less than was told before changes nothing."""
        with self._lock:
            series = self._of(name, labels)
            if series is not None and total > series.value:
                series.value = float(total)

    def inform(self, name: str, about: Mapping[str, str], *labels: str) -> None:
        """Says what an info of the table tells, besides its labels, instead of before."""
        with self._lock:
            self._series[name].pop(labels, None)
            known = {**dict(zip(BY_NAME[name].labels, labels, strict=True)), **about}
            head = _head(f"{PREFIX}{name}_info", known)
            self._series[name][labels] = _Number(head, known, 1.0)

    def begin_stream(self, stream: str) -> None:
        """Takes what is told of a stream of that name from now on."""
        with self._lock:
            self._ended.discard(stream)

    def ended(self, stream: str) -> bool:
        """True from when a stream is forgotten until it begins again."""
        return stream in self._ended

    def forget(self, stream: str) -> None:
        """Removes every series of a stream that is no more, and takes nothing of it any more."""
        with self._lock:
            self._ended.add(stream)
            for name, labels in self._of_stream.pop(stream, ()):
                del self._series[name][labels]

    def told(self, accept: str = "", only: Collection[str] | None = None) -> tuple[bytes, str]:
        """The series as text, and its content type: what an Accept header likes best.

        OpenMetrics 1.0 with exemplars, or Prometheus' text format; of `only` these metrics, by
        full name, if they are given.
        """
        try:
            content_type = choose_encoder(" ".join(accept.split()))[1]
        except (TypeError, ValueError):  # a version that is no number
            content_type = choose_encoder("")[1]
        openmetrics = content_type.startswith(OPENMETRICS)
        out: list[str] = []
        for metric in TABLE:
            if only is not None and metric.full_name not in only:
                continue
            out.append(_about(metric, openmetrics=openmetrics))
            out += [series.lines(openmetrics=openmetrics) for series in self._now(metric)]
        if openmetrics:
            out.append("# EOF\n")
        return "".join(out).encode(), content_type

    def collect(self) -> Iterable[Family]:
        """All series, for prometheus_client."""
        for metric in TABLE:
            name = f"{PREFIX}{metric.name}"
            family = Family(name, metric.told, metric.kind)
            for series in self._now(metric):
                for sample in series.samples(name, _ENDINGS.get(metric.kind, "")):
                    family.add_sample(*sample)
            yield family

    def describe(self) -> Iterable[Family]:
        """The metrics without series: registering does not need to collect them."""
        return [Family(f"{PREFIX}{metric.name}", metric.told, metric.kind) for metric in TABLE]

    def _now(self, metric: Metric) -> list[Any]:
        with self._lock:
            return list(self._series[metric.name].values())

    def _of(self, name: str, labels: Labels) -> Any:
        """The series, made if it is new; None where it is of a stream that has ended."""
        known = self._series[name]
        series = known.get(labels)
        if series is None:
            metric = BY_NAME[name]
            named = dict(zip(metric.labels, labels, strict=True))
            stream = named.get("stream")
            if stream is not None:
                if stream in self._ended:
                    return None
                self._of_stream.setdefault(stream, []).append((name, labels))
            series = known[labels] = _made(metric, named)
        return series


def _made(metric: Metric, named: dict[str, str]) -> _Number | _Buckets:
    name = f"{PREFIX}{metric.name}"
    if metric.kind != "histogram":
        return _Number(_head(f"{name}{_ENDINGS[metric.kind]}", named), named)
    bounds = _told(metric.buckets)
    heads = [_head(f"{name}_bucket", {**named, "le": bound}) for bound in bounds]
    heads += [_head(f"{name}_count", named), _head(f"{name}_sum", named)]
    return _Buckets(tuple(heads), metric.buckets, named, [0] * len(bounds))


def _told(bounds: Iterable[float]) -> list[str]:
    """The upper bounds of buckets as Prometheus writes them, with that of the last."""
    return [*map(repr, bounds), "+Inf"]


def _head(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{_braced(labels)} " if labels else f"{name} "


def _braced(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return str(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _about(metric: Metric, *, openmetrics: bool) -> str:
    """What a family's lines begin with; only OpenMetrics knows infos, and names bare counters."""
    if openmetrics:
        name, kind = f"{PREFIX}{metric.name}", metric.kind
    else:
        name, kind = metric.full_name, "gauge" if metric.kind == "info" else metric.kind
    return f"# HELP {name} {metric.told}\n# TYPE {name} {kind}\n"


def _exemplar(labels: Mapping[str, str], value: float) -> str:
    length = sum(len(name) + len(told) for name, told in labels.items())
    if length > EXEMPLAR_CHARACTERS:
        message = f"an exemplar's labels may have {EXEMPLAR_CHARACTERS} characters, not {length}"
        raise ValueError(message)
    return f" # {_braced(labels)} {value!r} {time.time():.3f}"
