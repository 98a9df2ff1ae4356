"""How many groups with events a scan has missed: a measured number, with its uncertainty."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipeline.media.gops import GopRow
from pipeline.records import Span

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audited groups of pictures say of those that were skipped.

    Of `audited` groups that the scan would have skipped, `missed` had an event; so did `rate` of
    the `skipped` ones, by this sample, or with 95 % certainty between `low` and `high` of them.
    """

    audited: int
    missed: int
    skipped: int

    @property
    def rate(self) -> float | None:
        """The share of audited groups that had an event; None when none was audited."""
        return self.missed / self.audited if self.audited else None

    @property
    def low(self) -> float:
        """The lower end of Wilson's score interval at 95 %."""
        return wilson(self.missed, self.audited)[0]

    @property
    def high(self) -> float:
        """The upper end of Wilson's score interval at 95 %."""
        return wilson(self.missed, self.audited)[1]

    @property
    def missed_of_skipped(self) -> tuple[float, float, float] | None:
        """How many skipped groups had an event: expected, at least, at most; None if unknown."""
        if self.rate is None:
            return None
        return self.rate * self.skipped, self.low * self.skipped, self.high * self.skipped

    def recall(self, found: int) -> tuple[float, float, float] | None:
        """The share of groups with events that were decoded, when `found` such were: with bounds.

        None when nothing was audited, or when there are no such groups at all.
        """
        missed = self.missed_of_skipped
        if missed is None or not found:
            return None
        expected, least, most = missed
        return found / (found + expected), found / (found + most), found / (found + least)

    def plus(self, other: Audit) -> Audit:
        """Both together: the audit of several sources."""
        return Audit(
            self.audited + other.audited, self.missed + other.missed, self.skipped + other.skipped
        )


def audit_of(rows: Sequence[GopRow], events: Iterable[Span]) -> Audit:
    """What these rows and the lanes' events say. An event counts where it starts.

    What went on already when a group began is nothing that was missed in it.
    """
    starts = sorted(span.start for span in events)
    audited = [row for row in rows if row.reason == "audit"]
    missed = sum(_any_within(starts, row.span) for row in audited)
    skipped = sum(row.gops for row in rows if row.fate != "all")
    return Audit(len(audited), missed, skipped)


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Bounds of a share at 95 % (Wilson, 1927); (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share, weight = hits / trials, Z_95**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _any_within(starts: Sequence[Fraction], span: Span) -> bool:
    at = bisect_left(starts, span.start)
    return at < len(starts) and starts[at] < span.end
