"""Series that Prometheus works out again and again, so that alerts and dashboards agree on them.

Metrics and labels are those of the table in pipeline/metrics.py: a renamed one breaks here. Names
say what a series is by, of what it is, and how it was made (`level:metric:operation`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.metrics import BY_NAME


@dataclass(frozen=True, slots=True)
class Record:
    """A series by its name, and the query that makes it."""

    name: str
    expr: str


def metric(name: str, *selectors: str, ending: str = "") -> str:
    """A metric of the table as a query names it; ValueError for a label that it does not have.

    Selectors are of one label each; `ending` follows the name of a histogram.
    """
    known = BY_NAME[name]
    for selector in selectors:
        label = re.split(r"[=!]", selector)[0]
        if label not in (*known.labels, "instance"):
            message = f"{known.full_name} has no label {label!r}"
            raise ValueError(message)
    return known.full_name + ending + (f"{{{','.join(selectors)}}}" if selectors else "")


def rate(name: str, *selectors: str, over: str = "5m", ending: str = "") -> str:
    """How fast a counter, or a part of a histogram, grows a second."""
    return f"rate({metric(name, *selectors, ending=ending)}[{over}])"


def slowest(name: str, *by: str) -> str:
    """What 95 % of the values of the last five minutes stay below."""
    labels = ", ".join([*by, "le"])
    return f"histogram_quantile(0.95, sum by ({labels}) ({rate(name, ending='_bucket')}))"


PICTURES = 'medium="video"'
# Given up on purpose: sampling at a lower rate, of which PoolSaturated tells, and streams that were
# stopped or begun again because somebody said so.
PLANNED = ("lower_rate", "closed", "stopped", "reader_restarted", "interrupted")
UNPLANNED = f'reason!~"{"|".join(PLANNED)}"'
# What a decoder could not use. Not jumped packets (LagHigh), what came twice, doubted times.
DAMAGE = 'kind=~".*(corrupt_packet|corrupt_frame|damaged_frames|missing_packets|nothing_decoded)"'

AGE = Record(
    "stream:witness_newest_frame_age_seconds",
    f"time() - ({metric('stream_newest_frame_timestamp_seconds')} > 0)",
)
LATE = Record(
    "stream:witness_late_seconds:sum",
    f"""\
{metric("stream_lag_seconds")}
+
({metric("stream_behind_seconds")} or {metric("stream_lag_seconds")} * 0)""",
)
DAMAGED = Record(
    "stream:witness_decode_damage:rate5m",
    f"sum without (kind) ({rate('decode_troubles', DAMAGE)})",
)
LOST = Record(
    "stream_lane:witness_lost:rate5m",
    f"""\
sum without (reason, book) (
    label_replace({rate("dropped", UNPLANNED)}, "book", "dropped", "", "")
or
    label_replace({rate("failed")}, "book", "failed", "", "")
)""",
)
# Of what a lane was to look at. While nothing is analysed there may be no such series: 0 stands in.
LOST_SHARE = Record(
    "stream_lane:witness_lost:ratio_rate5m",
    f"""\
{LOST.name}
/
({LOST.name} + ({rate("analysed")} or {LOST.name} * 0) > 0)""",
)
POOL_BUSY = Record(
    "instance:witness_pool_busy:ratio_rate5m",
    f"{rate('pool_busy_seconds')} / ({metric('pool_members')} > 0)",
)
DISK_FREE = Record(
    "instance_place:witness_disk_free:ratio",
    f"{metric('disk_free_bytes')} / ({metric('disk_size_bytes')} > 0)",
)

RECORDS = (
    Record("job:witness_streams:count", f"count by (job) ({metric('stream_up')})"),
    Record("job:witness_streams_up:sum", f"sum by (job) ({metric('stream_up')})"),
    Record(
        "stream:witness_decoded_frames:rate1m",
        f"sum without (medium) ({rate('decoded', PICTURES, over='1m')})",
    ),
    Record(
        "job_lane:witness_analysed:rate1m", f"sum by (job, lane) ({rate('analysed', over='1m')})"
    ),
    Record("job_label:witness_events:rate5m", f"sum by (job, lane, label) ({rate('events')})"),
    Record(
        "job_reason:witness_outages:increase1h",
        f"sum by (job, reason) (increase({metric('stream_outages')}[1h]))",
    ),
    AGE,
    LATE,
    DAMAGED,
    LOST,
    LOST_SHARE,
    Record(
        "stream:witness_event_delay_seconds:p95_5m",
        slowest("event_delay_seconds", "job", "instance", "stream"),
    ),
    Record("job:witness_event_delay_seconds:p95_5m", slowest("event_delay_seconds", "job")),
    Record(
        "job_stage:witness_stage_seconds:p95_5m", slowest("stage_seconds", "job", "lane", "stage")
    ),
    POOL_BUSY,
    DISK_FREE,
)
