"""How a live stream is, as metrics tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a stream is.

    Its packets come `late_s` late. The newest one came at `newest_at` (Unix time), None before the
    first; the oldest batch has been under way for `behind_s`. `outages` counts by why it broke off,
    `outage_s` is for how long: both, and `connections`, since it began.
    """

    plays: bool
    late_s: float
    connections: int
    newest_at: float | None
    behind_s: float
    level: int
    outages: Mapping[str, int]
    outage_s: float
