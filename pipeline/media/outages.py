"""What broke a live stream off, and how long it was away: totals, for the metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal

from pipeline.errors import SourceError, SourceLost
from pipeline.records import Gap, Medium

Broke = Literal["ended", "broke_off", "fell_silent", "unreadable", "no_new_file"]


class Outages:
    """The outages of one reader's stream.

    What lies between the reader before and this one is its loss only if it `goes_on` after that
    one; otherwise nobody was watching. Written by the thread that reads, asked for by any.
    """

    def __init__(self, *, goes_on: bool) -> None:
        self._counts: Counter[Broke] = Counter()
        self._goes_on = goes_on
        self._perhaps: tuple[Broke, float] | None = None
        self._lost_s: defaultdict[Medium, float] = defaultdict(float)

    @property
    def totals(self) -> dict[str, int]:
        """How often it broke off so far, by why."""
        return {str(why): count for why, count in self._counts.copy().items()}

    @property
    def seconds(self) -> float:
        """Media time without anything: of the medium that lacks most."""
        return max(self._lost_s.copy().values(), default=0.0)

    def began(self, why: Broke) -> None:
        """The stream, which played, does so no more."""
        self._counts[why] += 1
        self._goes_on, self._perhaps = True, None

    def perhaps(self, why: Broke, least_s: float) -> None:
        """It is an outage if what comes next comes after so long a gap."""
        self._perhaps = (why, least_s)

    def over(self, gap: Gap) -> None:
        """The stream brings a medium again, after that gap."""
        if self._perhaps is not None and gap.span.duration >= self._perhaps[1]:
            self.began(self._perhaps[0])
        if self._goes_on:
            self._lost_s[gap.medium] += float(gap.span.duration)


def why_of(error: SourceError, fallen: Medium | None) -> Broke:
    """What broke a stream off that ended with this error, or of which a medium fell silent."""
    if fallen is not None:
        return "fell_silent"
    return "broke_off" if isinstance(error, SourceLost) else "unreadable"
