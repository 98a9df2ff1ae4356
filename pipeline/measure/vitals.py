"""What metrics tell of a stream beyond its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a stream is, for the metrics, beyond its status.

    The newest packet came at `newest_at` (Unix time), None before the first; the oldest batch has
    been under way for `behind_s`. `outages` counts by why it broke off, and `outage_s` is for how
    long, both since it began.
    """

    newest_at: float | None
    behind_s: float
    level: int
    outages: Mapping[str, int]
    outage_s: float
