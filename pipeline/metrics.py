"""Every metric in one table: here alone a metric is defined.

docs/metrics.md, the dashboards in deploy/grafana and the rules in deploy/prometheus are made from
it or checked against it. Labels take few values, known before: names of streams, lanes and labels
as the config and the network's card give them, and words of this code; never a URL, a path, or a
text from outside. A name ends in its unit; counters end in `_total` besides (OpenMetrics 1.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "witness_"
OTHER = "other"
"""Stands for a value that is none of this code's words, and for labels beyond the first many."""
READERS_LOST = (
    "reader_lost",
    "reader_failed",
    "reader_hung",
    "reader_restarted",
    "stalled",
    "open_hung",
)
"""Why readers of live streams are replaced."""
OUTAGES = ("ended", "broke_off", "fell_silent", "unreadable", "no_new_file", *READERS_LOST[:-1])
"""What ends the playing of a live stream: the sender, the way, or the loss of its reader."""
DROPPED = ("lower_rate", "drop_oldest", "lag", "closed", "stopped", *READERS_LOST)
"""Why frames and samples of live streams are given up."""
FAILED = ("pool_member_lost", "windows_lost", "answers_lost")
"""Why windows of live streams have no answer, but for what a network raises."""
TROUBLES = {
    "video": (
        "corrupt_packet",
        "corrupt_frame",
        "damaged_frames",
        "missing_packets",
        "jumped_packets",
        "doubted_pts",
        "came_twice",
        "nothing_decoded",
    ),
    "audio": (
        "corrupt_packet",
        "missing_packets",
        "jumped_packets",
        "doubted_pts",
        "overlap_samples",
        "came_twice",
        "nothing_decoded",
    ),
    "container": ("corrupt_packet",),
}
"""What decoders meet in live streams, by medium."""
WORKERS_LOST = ("died", "hung", "failed")
"""Why pool members and keepers are replaced."""
Kind = Literal["counter", "gauge", "histogram", "info"]
Topic = Literal["streams", "books", "stages", "pool", "outputs", "processes", "jobs", "build"]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
DELAYS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)
WINDOWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name without prefix and `_total`, kind, labels, and what it tells.

    `buckets` are the upper bounds of a histogram.
    """

    topic: Topic
    name: str
    kind: Kind
    labels: tuple[str, ...]
    told: str
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As a query names it: of a histogram, what `_bucket`, `_sum` and `_count` follow."""
        ending = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        return f"{PREFIX}{self.name}{ending}"


_LANE = ("stream", "lane")

TABLE: tuple[Metric, ...] = (
    # streams: is it there, how fresh, how far behind, what broke
    Metric("streams", "stream_up", "gauge", ("stream",), "1 while a live stream plays"),
    Metric(
        "streams",
        "stream_newest_frame_timestamp_seconds",
        "gauge",
        ("stream",),
        "When the newest frame or sound of a live stream arrived, Unix time",
    ),
    Metric(
        "streams", "stream_lag_seconds", "gauge", ("stream",), "How late a stream's packets come"
    ),
    Metric(
        "streams",
        "stream_behind_seconds",
        "gauge",
        ("stream",),
        "For how long the oldest batch of a stream has been under way",
    ),
    Metric(
        "streams",
        "stream_rate_level",
        "gauge",
        ("stream",),
        "Steps by which overload has lowered the sampling rate; 0 is the full rate",
    ),
    Metric("streams", "stream_connections", "counter", ("stream",), "Connections that were made"),
    Metric(
        "streams",
        "stream_outages",
        "counter",
        ("stream", "reason"),
        "Times that a stream which played broke off, by why",
    ),
    Metric(
        "streams",
        "stream_outage_seconds",
        "counter",
        ("stream",),
        "Time lost by outages, the present one included",
    ),
    Metric(
        "streams", "readers_lost", "counter", ("stream", "reason"), "Readers that were replaced"
    ),
    Metric(
        "streams",
        "decode_troubles",
        "counter",
        ("stream", "kind"),
        "What a decoder could not use: packets, frames or chunks of sound",
    ),
    Metric(
        "streams",
        "media_seconds",
        "counter",
        ("stream",),
        "Media time gone through; of live streams with their outages",
    ),
    Metric(
        "streams",
        "speed_ratio",
        "gauge",
        ("stream",),
        "Media seconds of a file gone through per second",
    ),
    Metric("streams", "sources_failed", "counter", ("reason",), "Sources that failed"),
    # books: decoded = analysed + not sampled + gated + dropped + failed, once nothing is under way
    Metric("books", "decoded", "counter", ("stream", "medium"), "Frames or samples decoded"),
    Metric("books", "analysed", "counter", _LANE, "Frames or samples that a lane analysed"),
    Metric("books", "not_sampled", "counter", _LANE, "Frames or samples a lane passed over"),
    Metric("books", "gated", "counter", _LANE, "Frames that a gate withheld: nothing changed"),
    Metric("books", "dropped", "counter", (*_LANE, "reason"), "Frames or samples given up"),
    Metric("books", "failed", "counter", (*_LANE, "reason"), "Frames or samples that failed"),
    Metric(
        "books",
        "books_open",
        "gauge",
        _LANE,
        "Frames or samples decoded and not accounted for yet: under way",
    ),
    Metric(
        "books",
        "books_not_closed",
        "counter",
        (),
        "Ends of a stream at which its books did not close",
    ),
    # stages: where the time goes
    Metric(
        "stages", "decode_seconds", "counter", ("stream", "medium"), "CPU time spent in decoding"
    ),
    Metric(
        "stages",
        "stage_seconds",
        "histogram",
        ("stage", "lane"),
        "Time of a batch in one stage: queue, predict, settle, sink",
        SECONDS,
    ),
    Metric(
        "stages",
        "event_delay_seconds",
        "histogram",
        ("stream",),
        "From the arrival of what decided an event to its writing",
        DELAYS,
    ),
    # pool: the networks
    Metric(
        "pool",
        "lane_ready",
        "gauge",
        ("lane",),
        "1 while a pool member has the network of a lane loaded",
    ),
    Metric("pool", "pool_members", "gauge", (), "Pool members that are wanted"),
    Metric("pool", "pool_members_ready", "gauge", (), "Pool members that answer"),
    Metric("pool", "pool_busy_seconds", "counter", (), "Time that members spent in networks"),
    Metric("pool", "pool_members_lost", "counter", ("reason",), "Pool members replaced"),
    Metric("pool", "keepers_lost", "counter", ("reason",), "Keepers replaced"),
    Metric("pool", "queued_windows", "gauge", ("lane",), "Windows waiting for a pool member"),
    Metric(
        "pool", "batch_windows", "histogram", ("lane",), "Windows in one call of a network", WINDOWS
    ),
    Metric("pool", "device_memory_bytes", "gauge", ("device",), "Memory in use on a device"),
    Metric("pool", "device_memory_size_bytes", "gauge", ("device",), "Memory that a device has"),
    # outputs: what is written down
    Metric("outputs", "events", "counter", (*_LANE, "label"), "Events written"),
    Metric(
        "outputs",
        "sink_waiting_records",
        "gauge",
        ("stream",),
        "Records that wait in memory because they cannot be written",
    ),
    Metric("outputs", "sink_failing", "gauge", ("stream",), "1 while results cannot be written"),
    Metric("outputs", "sink_failures", "counter", ("stream",), "Times that writing began to fail"),
    Metric("outputs", "disk_free_bytes", "gauge", ("place",), "Free space where results go"),
    Metric("outputs", "disk_size_bytes", "gauge", ("place",), "Size of the disk for results"),
    # processes of this machine, by role: driver, reader, member, keeper, worker
    Metric("processes", "processes", "gauge", ("role",), "Processes on this machine"),
    Metric("processes", "process_memory_bytes", "gauge", ("role",), "Memory of their own"),
    Metric("processes", "process_cpu_seconds", "counter", ("role",), "CPU time, user and system"),
    Metric("processes", "process_descriptors", "gauge", ("role",), "Open file descriptors"),
    # jobs: `witness batch`
    Metric("jobs", "job_videos", "gauge", ("state",), "Videos of an offline job"),
    Metric("jobs", "job_media_seconds", "counter", (), "Media time an offline job went through"),
    Metric("jobs", "job_events", "counter", (), "Events that an offline job has written"),
    Metric("jobs", "job_workers_lost", "counter", (), "Workers of an offline job that died"),
    Metric("jobs", "job_speed_ratio", "gauge", (), "Media seconds of an offline job per second"),
    Metric("jobs", "job_left_seconds", "gauge", (), "How long an offline job will still take"),
    Metric("jobs", "job_units_running", "gauge", (), "Units of an offline job under way"),
    Metric(
        "jobs",
        "job_progress_timestamp_seconds",
        "gauge",
        (),
        "When an offline job last came further, Unix time",
    ),
    Metric("jobs", "job_audited_groups", "counter", (), "Skipped groups of pictures looked at"),
    Metric("jobs", "job_audit_missed_groups", "counter", (), "Of these, wrongly skipped"),
    # build
    Metric("build", "build", "info", (), "Versions: witness, python, torch, av, engine"),
    Metric(
        "build",
        "model",
        "info",
        ("lane",),
        "Network of a lane: name, sha256 (its first 12 digits), runtime, device",
    ),
)

BY_NAME = {metric.name: metric for metric in TABLE}
