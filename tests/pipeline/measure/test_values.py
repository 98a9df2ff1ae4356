"""What is told of streams, books, stages, pool, outputs and jobs, as series."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pipeline.batch.tally import Tally
from pipeline.cut import Progress
from pipeline.ledger import LaneBook, Ledger
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import KEPT_SOURCES, MOST_LABELS, Metrics
from pipeline.media.scan_audit import Audit
from pipeline.metrics import DROPPED, FAILED, OUTAGES, TROUBLES, WORKERS_LOST
from pipeline.records import Digest, Mark, Span
from pipeline.run.backlog import Task
from pipeline.run.live.outbox import Reason
from pipeline.run.workers import Step
from pipeline.testing import brightness_lane

ACCEPTS = "application/openmetrics-text; version=1.0.0"


def bark(label: str, start: Fraction | int, lane: str = "sound") -> Digest:
    return Digest("a", lane, Span(Fraction(start), Fraction(9)), label, 0.9, None)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_total_told_twice_is_counted_once() -> None:
    metrics = Metrics()
    for total in (10, 10, 25):
        metrics.read("a", Progress(Fraction(total, 25), {"video": total}, {"action": total - 5}))
    assert value(metrics, "witness_decoded_total", stream="a", medium="video") == 25
    assert value(metrics, "witness_not_sampled_total", stream="a", lane="action") == 20
    assert value(metrics, "witness_media_seconds_total", stream="a") == 1.0


def test_what_a_reader_withheld_or_gave_up_is_counted() -> None:
    metrics = Metrics()
    for total in (3, 3, 8):
        dropped = {"action": {"lower_rate": total, "lag": 1}}
        metrics.read("a", Progress(Fraction(1), {}, {}, {"action": 2 * total}, dropped))
    labels = {"stream": "a", "lane": "action"}
    assert value(metrics, "witness_gated_total", **labels) == 16
    assert value(metrics, "witness_dropped_total", reason="lower_rate", **labels) == 8
    assert value(metrics, "witness_dropped_total", reason="lag", **labels) == 1


def test_the_books_are_exported() -> None:
    metrics = Metrics()
    book = LaneBook("video", 10, 7, dropped=Counter(overload=2), failed=Counter(RuntimeError=1))
    ledger = Ledger(Counter(video=10), Counter(video_corrupt_packet=3), [], {"action": book})
    metrics.books("a", ledger)
    metrics.books("a", ledger)
    assert value(metrics, "witness_analysed_total", stream="a", lane="action") == 7
    labels = {"stream": "a", "lane": "action"}
    assert value(metrics, "witness_dropped_total", reason="overload", **labels) == 2
    assert value(metrics, "witness_failed_total", reason="RuntimeError", **labels) == 1
    kind = "video_corrupt_packet"
    assert value(metrics, "witness_decode_troubles_total", stream="a", kind=kind) == 3


def test_calls_and_events_are_counted() -> None:
    metrics = Metrics()
    for seconds in (0.02, 0.3):
        metrics.answered("sound", 4, seconds)
    metrics.settled("sound", 0.001, 0.0)  # nothing was written
    metrics.settled("sound", 0.001, 0.002)
    metrics.wrote([bark("bark", 0)] * 2)
    labels = {"stream": "a", "lane": "sound", "label": "bark"}
    assert value(metrics, "witness_events_total", **labels) == 2
    assert value(metrics, "witness_batch_windows_sum", lane="sound") == 8
    assert value(metrics, "witness_pool_busy_seconds_total") == pytest.approx(0.32)
    counts = {"predict": 2, "settle": 2, "sink": 1}
    for stage, count in counts.items():
        name = "witness_stage_seconds_count"
        assert value(metrics, name, stage=stage, lane="sound") == count
    assert (
        value(metrics, "witness_stage_seconds_bucket", stage="predict", lane="sound", le="0.025")
        == 1
    )


def test_how_long_a_batch_waited_is_taken_when_it_is_sent() -> None:
    metrics = Metrics()
    marks = (Mark("a", "sound", 0, Span(Fraction(0), Fraction(1)), 8000),) * 3
    step = Step("sound", marks, Progress.nothing())
    metrics.queued("sound", 6)
    metrics.sent([Task("a", 0, step, None, since=time.monotonic() - 0.7)])
    assert value(metrics, "witness_queued_windows", lane="sound") == 3
    labels = {"stage": "queue", "lane": "sound"}
    assert value(metrics, "witness_stage_seconds_bucket", le="0.5", **labels) == 0
    assert value(metrics, "witness_stage_seconds_bucket", le="1.0", **labels) == 1


def test_an_event_is_told_by_what_its_row_says() -> None:
    metrics = Metrics()
    metrics.wrote(
        [bark("bark", 1), bark("bark", Fraction(1, 3)), bark("x" * 150, 2, lane="y" * 150)]
    )
    families = text_string_to_metric_families(str(metrics.told(ACCEPTS)[0], "utf-8"))
    [events] = [family for family in families if family.name == "witness_events"]
    told = [sample.exemplar.labels["event_id"] for sample in events.samples if sample.exemplar]
    assert told[0] == "sound:0.333333"
    assert told[1] == "y" * 120


def test_a_lane_that_reads_numbers_does_not_blow_up_the_page() -> None:
    metrics = Metrics()
    for number in range(3 * MOST_LABELS):
        metrics.wrote([bark(str(number), 0), bark("bark", 0, lane="other")])
    metrics.wrote([bark("7", 0)])
    labels = {"stream": "a", "lane": "sound"}
    assert value(metrics, "witness_events_total", label="other", **labels) == 2 * MOST_LABELS
    assert value(metrics, "witness_events_total", label="7", **labels) == 2
    assert metrics.page().count("witness_events_total{") == MOST_LABELS + 2


def test_reasons_are_words_of_the_code() -> None:
    metrics = Metrics()
    failed = {"RuntimeError": 3, "cannot open rtsp://user@host/x": 2, "Ünknown": 1}
    book = LaneBook("video", 6, failed=Counter(failed))
    ledger = Ledger(Counter(video=6), Counter(video_corrupt_packet=3), [], {"action": book})
    for _ in range(2):
        metrics.books("a", ledger)
    labels = {"stream": "a", "lane": "action"}
    assert value(metrics, "witness_failed_total", reason="RuntimeError", **labels) == 3
    assert value(metrics, "witness_failed_total", reason="other", **labels) == 3
    assert "rtsp" not in metrics.page()


def test_what_is_under_way_is_what_the_books_lack() -> None:
    metrics = Metrics()
    labels = {"stream": "a", "lane": "action"}
    book = LaneBook("video", failed=Counter(Dark=1), dropped=Counter(lag=2))
    ledger = Ledger(lanes={"action": book})
    dropped = {"action": {"lag": 3, "closed": 1}}
    metrics.read("a", Progress(Fraction(9), {"video": 50}, {"action": 20}, {"action": 5}, dropped))
    metrics.books("a", ledger)
    assert value(metrics, "witness_books_open", **labels) == 50 - 25 - 4 - 1
    book.analysed = 20
    metrics.books("a", ledger)
    assert value(metrics, "witness_books_open", **labels) == 0


def test_books_that_do_not_close_are_counted() -> None:
    metrics = Metrics()
    metrics.begin("a")
    assert value(metrics, "witness_books_not_closed_total") == 0
    metrics.closed(Ledger(Counter(video=5), lanes={"action": LaneBook("video", 5, 5)}))
    assert value(metrics, "witness_books_not_closed_total") == 0
    metrics.closed(Ledger(Counter(video=5), lanes={"action": LaneBook("video", 5, 4)}))
    metrics.closed(None)
    assert value(metrics, "witness_books_not_closed_total") == 2


def test_a_live_stream_begins_with_nothing_unknown_and_leaves_nothing() -> None:
    metrics = Metrics()
    before = metrics.page()
    metrics.begin("a", live=True)
    for name in ("stream_up", "sink_failing", "stream_connections_total", "sink_failures_total"):
        assert value(metrics, f"witness_{name}", stream="a") == 0
    for reason in OUTAGES:
        assert value(metrics, "witness_stream_outages_total", stream="a", reason=reason) == 0
    metrics.forget("a")
    metrics.read("a", Progress(Fraction(1), {"video": 5}, {"action": 0}))
    metrics.books("a", Ledger(lanes={"action": LaneBook("video", 5)}))
    assert 'stream="a"' not in metrics.page()
    assert metrics.page() == before.replace(
        "books_not_closed_total counter\n",
        "books_not_closed_total counter\nwitness_books_not_closed_total 0.0\n",
    )


def test_faults_bring_no_series() -> None:
    metrics = Metrics()
    metrics.begin("a", live=True, lanes={"action": "video", "sound": "audio"})
    for name in ("analysed", "gated", "not_sampled", "books_open"):
        metrics.add(name, "a", "action", by=0)
    before = metrics.page().count("\n")
    lost = dict.fromkeys(DROPPED, 3)
    book = LaneBook("video", 90, 9, dropped=Counter(lost), failed=Counter(dict.fromkeys(FAILED, 1)))
    kinds = {f"{medium}_{kind}": 2 for medium in TROUBLES for kind in TROUBLES[medium]}
    metrics.books("a", Ledger(troubles=Counter(kinds), lanes={"action": book}))
    assert value(metrics, "witness_dropped_total", stream="a", lane="action", reason="lag") == 3
    assert value(metrics, "witness_decode_troubles_total", stream="a", kind="audio_came_twice") == 2
    assert metrics.page().count("\n") == before


def test_what_an_outbox_gives_up_is_among_the_words() -> None:
    assert set(get_args(Reason)) <= set(DROPPED)


def test_of_very_many_sources_the_last_stay() -> None:
    metrics = Metrics()
    for number in range(KEPT_SOURCES + 5):
        metrics.begin(f"f{number}")
        metrics.read(f"f{number}", Progress(Fraction(1), {"video": 25}, {}))
        metrics.read_to_end(f"f{number}")
    told = [number for number in range(KEPT_SOURCES + 5) if f'stream="f{number}"' in metrics.page()]
    assert told == list(range(5, KEPT_SOURCES + 5))


def test_media_time_counts_from_where_a_watch_began() -> None:
    metrics = Metrics()
    for position in (0, 86_400, 86_410):
        metrics.read("a", Progress(Fraction(position), {}, {}), from_s=86_400.0)
    assert value(metrics, "witness_media_seconds_total", stream="a") == 10


def test_the_pool_and_what_was_lost_of_it() -> None:
    metrics = Metrics()
    metrics.pool(2, 0, ["sound"], {})
    assert value(metrics, "witness_lane_ready", lane="sound") == 0
    metrics.pool(2, 1, ["sound"], {"hung": 1})
    metrics.keepers({"died": 3})
    assert value(metrics, "witness_lane_ready", lane="sound") == 1
    assert value(metrics, "witness_pool_members") == 2
    assert value(metrics, "witness_pool_members_ready") == 1
    lost = [value(metrics, "witness_pool_members_lost_total", reason=r) for r in WORKERS_LOST]
    assert dict(zip(WORKERS_LOST, lost, strict=True)) == {"died": 0, "hung": 1, "failed": 0}
    assert value(metrics, "witness_keepers_lost_total", reason="died") == 3


def test_what_runs_is_told() -> None:
    metrics = Metrics()
    lane = replace(brightness_lane(), runtime="eager float32", device="cpu")
    metrics.runs("local", [lane])
    families = text_string_to_metric_families(str(metrics.told(ACCEPTS)[0], "utf-8"))
    told = {f.name: f.samples[0].labels for f in families if f.type == "info"}
    assert told["witness_build"]["engine"] == "local"
    assert told["witness_build"].keys() == {"witness", "torch", "av", "python", "engine"}
    assert told["witness_model"] == {
        "lane": "brightness",
        "name": "plain-brightness",
        "sha256": "0" * 12,
        "runtime": "eager float32",
        "device": "cpu",
    }


def test_how_far_an_offline_job_is() -> None:
    metrics, tally = Metrics(), Tally(found=3)
    metrics.batch(tally)
    began = value(metrics, "witness_job_progress_timestamp_seconds")
    tally.audit = Audit(audited=10, missed=1, skipped=80)
    tally.note("a.mp4", 4.0)
    tally.lost("a.mp4")
    metrics.batch(tally)
    assert value(metrics, "witness_job_videos", state="todo") == 3
    assert value(metrics, "witness_job_audited_groups_total") == 10
    assert value(metrics, "witness_job_audit_missed_groups_total") == 1
    assert value(metrics, "witness_job_workers_lost_total") == 1
    further = value(metrics, "witness_job_progress_timestamp_seconds")
    assert began is not None and further is not None
    assert time.time() - 60 < began < further


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read(), "utf-8")


def test_the_page_serves_this_machine_alone() -> None:
    metrics = Metrics()
    metrics.add("sources_failed", "SourceMissing")
    with MetricsPage(metrics, 0) as page, MetricsPage(metrics, None) as none:
        assert none.url is None
        assert page.url is not None
        assert 'witness_sources_failed_total{reason="SourceMissing"} 1.0' in fetch(page.url)
        port = int(page.url.split(":")[2].split("/")[0])
        listening = [
            c.laddr.ip
            for c in psutil.Process().net_connections("inet")
            if c.status == psutil.CONN_LISTEN and c.laddr.port == port
        ]
        assert listening == ["127.0.0.1"]


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with MetricsPage(Metrics(), 0) as first:
        assert first.url is not None
        port = int(first.url.split(":")[2].split("/")[0])
        with MetricsPage(Metrics(), port) as second:
            assert second.url is not None
            assert second.url != first.url
            assert "witness_decoded" in fetch(second.url)
