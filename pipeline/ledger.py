"""The books: every decoded frame and sample of a stream is accounted for, lane by lane.

offered = analysed + not sampled + gated + dropped (reason) + failed (reason)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pipeline.records import Medium, Span

if TYPE_CHECKING:
    from pipeline.cut import Progress

GATED_SPANS_KEPT = 200
"""So many gated stretches of a lane are told one by one; of earlier ones only the sum is kept."""


@dataclass(slots=True)
class LaneBook:
    """What became of the frames (or source samples) that were offered to one lane.

    `gated_spans` are the stretches in which a gate let through no more than heartbeats, by their
    start; `gated_before` is how many seconds of such stretches are no longer told one by one.
    """

    medium: Medium
    offered: int = 0
    analysed: int = 0
    not_sampled: int = 0
    gated: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    gated_spans: dict[Fraction, Fraction] = field(default_factory=dict)
    gated_before: Fraction = Fraction(0)

    @property
    def missing(self) -> int:
        """What is not accounted for; 0 when the book closes."""
        told = self.analysed + self.not_sampled + self.gated
        return self.offered - told - self.dropped.total() - self.failed.total()

    @property
    def gated_s(self) -> float:
        """Seconds of media time in which a gate let through no more than heartbeats."""
        told = sum((end - start for start, end in self.gated_spans.items()), self.gated_before)
        return round(float(told), 6)

    def note_gated(self, span: Span) -> None:
        """Takes a gated stretch, or how long one has become by now."""
        end = self.gated_spans.get(span.start, span.end)
        self.gated_spans[span.start] = max(end, span.end)
        if len(self.gated_spans) > GATED_SPANS_KEPT:
            first = min(self.gated_spans)
            self.gated_before += self.gated_spans.pop(first) - first

    def to_json(self) -> dict[str, Any]:
        """The book as plain data; `gated_spans` are [start, end] in seconds, in order."""
        return {
            "medium": self.medium,
            "unit": "frames" if self.medium == "video" else "samples",
            "offered": self.offered,
            "analysed": self.analysed,
            "not_sampled": self.not_sampled,
            "gated": self.gated,
            "dropped": dict(self.dropped),
            "failed": dict(self.failed),
            "gated_s": self.gated_s,
            "gated_spans": [
                [round(float(start), 6), round(float(end), 6)]
                for start, end in sorted(self.gated_spans.items())
            ],
        }


@dataclass(slots=True)
class Ledger:
    """The books of one stream: what each medium decoded, and one book a lane.

    `troubles` counts what the decoder could not use (corrupt packets, ...); such packets never
    became frames, so they stand beside the books, not in them.
    """

    decoded: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    lanes: dict[str, LaneBook] = field(default_factory=dict)

    def read(self, progress: Progress) -> None:
        """Takes the totals of the stream's reader so far; telling them again changes nothing."""
        for medium, units in progress.decoded.items():
            self.decoded[medium] = units
        for name, book in self.lanes.items():
            book.offered = self.decoded[book.medium]
            book.not_sampled = progress.not_sampled.get(name, 0)
            book.gated = progress.gated.get(name, 0)
            for reason, units in progress.dropped.get(name, {}).items():
                book.dropped[reason] = units
            if name in progress.gated_spans:
                book.note_gated(progress.gated_spans[name])

    def counts(self) -> Ledger:
        """The same numbers without the stretches of time: small, however long a stream runs."""
        books = {name: replace(book, gated_spans={}) for name, book in self.lanes.items()}
        return Ledger(Counter(self.decoded), Counter(self.troubles), [], books)

    def problems(self) -> list[str]:
        """Why the books do not close, in words; empty when they do."""
        out = []
        for name, book in self.lanes.items():
            if book.missing:
                out.append(f"lane {name}: {book.missing} of {book.offered} unaccounted for")
            if book.offered != self.decoded[book.medium]:
                out.append(
                    f"lane {name}: offered {book.offered}, but {self.decoded[book.medium]} "
                    f"of {book.medium} were decoded"
                )
        return out

    def to_json(self) -> dict[str, Any]:
        """The books as plain data, for the summary and the report."""
        return {
            "decoded": dict(sorted(self.decoded.items())),
            "troubles": dict(sorted(self.troubles.items())),
            "gaps": self.gaps,
            "closed": not self.problems(),
            "lanes": {name: book.to_json() for name, book in self.lanes.items()},
        }
