"""What a metrics page told at one moment, and what happened between two of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from pipeline.metrics import BY_NAME

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reading:
    """A page as it was at `at_s`, a monotonic time in seconds: values by sample name and labels."""

    at_s: float
    samples: dict[str, dict[Labels, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, at_s: float) -> Reading:
        """The page's reading; ValueError when it is no page of metrics."""
        samples: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name][frozenset(sample.labels.items())] = sample.value
        return cls(at_s, dict(samples))

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels; 0 where there are none."""
        wanted = labels.items()
        return sum(
            value for found, value in self._series(name).items() if wanted <= dict(found).items()
        )

    def values(self, name: str, label: str) -> list[str]:
        """The values of a label of a metric, in order."""
        return sorted({dict(found).get(label, "") for found in self._series(name)} - {""})

    def risen(self, before: Reading, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """The labels of a counter's series that rose since, and by how much."""
        for found, value in self._series(name).items():
            step = value - before._series(name).get(found, 0.0)
            if step > 0:
                yield dict(found), step

    def rate(self, before: Reading, name: str, **labels: str) -> float:
        """By how much a counter rose a second since; one that began anew counts from 0."""
        now, then = self.total(name, **labels), before.total(name, **labels)
        step = now - then if now >= then else now
        return step / max(1e-3, self.at_s - before.at_s)

    def quantile(self, before: Reading, name: str, share: float, **labels: str) -> float | None:
        """An upper bound of so large a share of what a histogram took since; None without any."""
        counts: defaultdict[float, float] = defaultdict(float)
        wanted = labels.items()
        for found, step in self.risen(before, f"{name}_bucket"):
            if wanted <= found.items():
                counts[float(found["le"])] += step
        whole = counts.get(float("inf"), 0.0)
        return next((edge for edge in sorted(counts) if counts[edge] >= share * whole > 0), None)

    def _series(self, name: str) -> dict[Labels, float]:
        of, _, part = name.rpartition("_")
        metric = BY_NAME[of if part in {"bucket", "sum", "count"} and of in BY_NAME else name]
        ending = name.removeprefix(metric.name)
        return self.samples.get(metric.full_name + ending, {})
