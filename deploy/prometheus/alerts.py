"""What somebody is told of: conditions, for how long they have to hold, and in which words.

Each has a page of its name in docs/runbooks: what it means and what to do. Above each stands why
its numbers are what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.prometheus.series import (
    AGE,
    DAMAGED,
    DISK_FREE,
    LATE,
    LOST_SHARE,
    POOL_BUSY,
    metric,
)

JOB = "witness"


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that has to hold for so long, and what is said of it then.

    Critical is what means that something is not watched or not written; warnings can wait for
    the morning.
    """

    name: str
    severity: Literal["critical", "warning"]
    lasts: str
    expr: str
    summary: str
    description: str


def told(series: str, form: str = "humanizeDuration") -> str:
    """A template: the value that a series of the alert's stream has; the series has to be there."""
    return f"{{{{ {_asked(series)} }}}}{{{{ . | first | value | {form} }}}}{{{{ end }}}}"


def _asked(series: str) -> str:
    return (
        f"with printf `{series}{{stream=%q,instance=%q}}` $labels.stream $labels.instance | query"
    )


_HERE = "{{ $labels.stream }} on {{ $labels.instance }}"
_UP = metric("stream_up")
_OPENED = metric("stream_connections")
# Until the networks are loaded no stream is read; ModelMissing tells when that takes too long.
_LOADING = f"on (job, instance) min_over_time({metric('lane_ready')}[1m]) == 0"
_LAG = metric("stream_lag_seconds")
_WAITING = metric("sink_waiting_records")
_DISK = metric("disk_free_bytes")
_PROGRESS = metric("job_progress_timestamp_seconds")
_TODO = metric("job_videos", 'state="todo"')
_TODO_HERE = metric("job_videos", 'state="todo"', "instance=%q")

STREAM_ALERTS = (
    # A camera that hiccups is back after 2 s. Longer than 5 s would leave no room for scrape,
    # evaluation and delivery within 15 s of the fault. One that has not played since it began has a
    # minute: a fleet that is started anew, or a stream whose settings change, is no concern.
    Alert(
        "StreamDown",
        "critical",
        "5s",
        f"""\
({_UP} == 0 and {_OPENED} > 0)
or
({_UP} == 0 and {_UP} offset 1m == 0 unless {_LOADING})""",
        "Stream {{ $labels.stream }} does not play",
        f"Stream {_HERE} has not played for 5 s or longer."
        f"{{{{ {_asked(AGE.name)} }}}} Its newest frame came"
        " {{ . | first | value | humanizeDuration }} ago.{{ end }}",
    ),
    # Twice the longest silence that witness allows by itself (30 s, of sources that come in
    # segments). It finds what StreamDown does not: a source that connects, says nothing and is
    # opened again before 5 s are over, for ever.
    Alert(
        "StreamStale",
        "warning",
        "15s",
        f"{AGE.name} > 60",
        "Stream {{ $labels.stream }} brings nothing new",
        f"The newest frame of stream {_HERE} is {{{{ $value | humanizeDuration }}}} old.",
    ),
    # A healthy stream is late by tenths of a second; at 5 s (`max_lag_s`) pictures are given up.
    Alert(
        "LagHigh",
        "warning",
        "1m",
        f"{LATE.name} > 3 and {_UP} == 1",
        "Stream {{ $labels.stream }} is late",
        f"Stream {_HERE} is {{{{ $value | humanizeDuration }}}} behind, {told(_LAG)} of that on"
        " its way here and the rest waiting for networks and keeper.",
    ),
    # A reader that is replaced takes a second or two with it: less than 1 % of 5 minutes.
    Alert(
        "DropsHigh",
        "warning",
        "2m",
        f"{LOST_SHARE.name} > 0.05",
        "Lane {{ $labels.lane }} loses a part of stream {{ $labels.stream }}",
        f"Of what lane {{{{ $labels.lane }}}} was to look at in stream {_HERE},"
        " {{ $value | humanizePercentage }} was dropped or failed in the last 5 minutes, for no"
        " reason that was planned.",
    ),
    # One lost packet spoils the pictures up to the next key frame, some 50: over 5 minutes that is
    # 0.17 a second, and no reason to act. More than that for 5 minutes is a link or a camera.
    Alert(
        "DecodeErrors",
        "warning",
        "5m",
        f"{DAMAGED.name} > 0.2",
        "Stream {{ $labels.stream }} comes damaged",
        f"{{{{ $value | humanize }}}} packets or frames a second of stream {_HERE}"
        " were missing or could not be decoded in the last 5 minutes.",
    ),
    # Writing is tried again every 2 s, and 20,000 records of a stream wait in memory: a moment is
    # no loss, and 15 s are early enough.
    Alert(
        "SinkFailing",
        "critical",
        "15s",
        f"{metric('sink_failing')} == 1",
        "Results of stream {{ $labels.stream }} cannot be written",
        f"Nothing of stream {_HERE} could be written for 15 s or longer;"
        f" {told(_WAITING, 'humanize')} records wait in memory, of at most 20k.",
    ),
)
SHARED_ALERTS = (
    # Witness, started anew by its supervisor, serves its page again within half a minute.
    Alert(
        "WitnessAbsent",
        "critical",
        "30s",
        f'up{{job="{JOB}"}} == 0 or absent(up{{job="{JOB}"}})',
        "Witness does not answer",
        "{{ if $labels.instance }}The page of metrics on {{ $labels.instance }} has not answered"
        " for 30 s or longer{{ else }}No witness has been known for 30 s or longer{{ end }}:"
        " whether streams are watched there, nobody can tell.",
    ),
    # Loading takes seconds; a process that cannot do it is given up after 120 s and replaced.
    Alert(
        "ModelMissing",
        "critical",
        "3m",
        f"{metric('lane_ready')} == 0",
        "No network answers for lane {{ $labels.lane }}",
        "No process on {{ $labels.instance }} has had the network of lane {{ $labels.lane }} for"
        " 3 minutes or longer: nothing is analysed by it.",
    ),
    # Files keep a pool as busy as can be, which is right: only where streams are watched.
    Alert(
        "PoolSaturated",
        "warning",
        "5m",
        f"{POOL_BUSY.name} > 0.9 and on (job, instance) {_UP}",
        "The networks on {{ $labels.instance }} have no time left",
        "The pool on {{ $labels.instance }} was busy {{ $value | humanizePercentage }} of the last"
        " 5 minutes: streams are sampled at lower rates, or lose frames.",
    ),
    # Results are small: a tenth of a disk is room to act in the morning. What fills within 4 hours
    # is told of before, but not on a disk that is half empty, where a short past says little.
    Alert(
        "DiskFilling",
        "warning",
        "5m",
        f"""\
{DISK_FREE.name} < 0.1
or
({DISK_FREE.name} < 0.5 and predict_linear({_DISK}[1h], 4 * 3600) < 0)""",
        "The disk of {{ $labels.place }} on {{ $labels.instance }} fills up",
        "Of the disk of {{ $labels.place }} on {{ $labels.instance }}"
        " {{ $value | humanizePercentage }} is free: below a tenth, or full within 4 hours.",
    ),
    # A video that brings nothing is given up after 60 s (`--stall-s`): ten times as long means that
    # everything stands, the disk or bucket of the results before all.
    Alert(
        "BatchStalled",
        "warning",
        "1m",
        f"time() - {_PROGRESS} > 600 and on (job, instance) {_TODO} > 0",
        "The offline job on {{ $labels.instance }} stands still",
        "The offline job on {{ $labels.instance }} has come no further for"
        " {{ $value | humanizeDuration }}"
        f"{{{{ with printf `{_TODO_HERE}` $labels.instance | query }}}}"
        ", {{ . | first | value }} videos from its end{{ end }}.",
    ),
    # A defect of witness, never of the source: one is enough.
    Alert(
        "BooksDoNotClose",
        "warning",
        "0s",
        f"increase({metric('books_not_closed')}[15m]) > 0",
        "The books of a stream do not close",
        "In the last 15 minutes {{ $value | printf `%.0f` }} stream(s) on {{ $labels.instance }}"
        " ended with frames or samples that nothing accounts for.",
    ),
)
