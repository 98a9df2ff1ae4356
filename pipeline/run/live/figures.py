"""What the metrics are told of a live stream."""

from __future__ import annotations

from collections import Counter

from pipeline.ledger import Ledger
from pipeline.measure.values import Metrics
from pipeline.measure.vitals import Vitals
from pipeline.run.live.tended import Tended

STANDS_BY_NATURE = ("file", "folder")
"""Such a source may have nothing new for a while; an outage that was, its gaps will tell."""


def vitals(stream: Tended, level: int, now: float) -> Vitals:
    """How a stream is now (`time.monotonic`); its rate is lowered by `level`, if by any."""
    beat, outages, outage_s = stream.beat, stream.outages, stream.outage_s
    if beat is not None and beat.outages:
        outages = outages + Counter(beat.outages)
    if beat is not None:
        outage_s += beat.outage_s
    state = stream.state[0]
    away = state not in ("playing", "stopping") and stream.newest_at is not None
    if away and stream.plan.address.kind not in STANDS_BY_NATURE:
        outage_s += max(0.0, now - stream.moved_at)  # no gap is told of it before it is over
    if stream.plan.rules.overload != "lower_rate":
        level = 0
    return Vitals(
        plays=state == "playing",
        late_s=round(beat.late_s, 3) if beat else 0.0,
        connections=stream.connections + (beat.connections if beat else 0),
        newest_at=stream.newest_at,
        behind_s=stream.behind_s(now),
        level=level,
        outages=outages,
        outage_s=outage_s,
    )


def measure(
    metrics: Metrics, stream: Tended, level: int, ledger: Ledger | None, now: float
) -> None:
    """Tells the metrics how a stream is, and its totals; `ledger` has the keeper's."""
    name = stream.plan.name
    metrics.vitals(name, vitals(stream, level, now))
    metrics.read(name, stream.progress, stream.from_s)
    if ledger is not None:
        metrics.books(name, ledger)
