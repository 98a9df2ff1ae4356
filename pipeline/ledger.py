"""The books: every decoded frame and sample of a stream is accounted for, lane by lane.

offered = analysed + not sampled + gated + dropped (reason) + failed (reason)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Medium


@dataclass(slots=True)
class LaneBook:
    """What became of the frames (or source samples) that were offered to one lane."""

    medium: Medium
    offered: int = 0
    analysed: int = 0
    not_sampled: int = 0
    gated: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def missing(self) -> int:
        """What is not accounted for; 0 when the book closes."""
        told = self.analysed + self.not_sampled + self.gated
        return self.offered - told - self.dropped.total() - self.failed.total()


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
            "decoded": dict(self.decoded),
            "troubles": dict(self.troubles),
            "gaps": self.gaps,
            "closed": not self.problems(),
            "lanes": {
                name: {
                    "medium": book.medium,
                    "unit": "frames" if book.medium == "video" else "samples",
                    "offered": book.offered,
                    "analysed": book.analysed,
                    "not_sampled": book.not_sampled,
                    "gated": book.gated,
                    "dropped": dict(book.dropped),
                    "failed": dict(book.failed),
                }
                for name, book in self.lanes.items()
            },
        }
