import urllib.request
from collections import Counter
from fractions import Fraction

import psutil

from pipeline.cut import Progress
from pipeline.ledger import LaneBook, Ledger
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from pipeline.records import Digest, Span


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
    metrics.answered("sound", 4, 0.02)
    metrics.wrote([Digest("a", "sound", Span(Fraction(0), Fraction(1)), "bark", 0.9, None)] * 2)
    labels = {"stream": "a", "lane": "sound", "label": "bark"}
    assert value(metrics, "witness_events_total", **labels) == 2
    assert value(metrics, "witness_batch_windows_sum", lane="sound") == 4
    assert (
        value(metrics, "witness_stage_seconds_bucket", stage="predict", lane="sound", le="0.025")
        == 1
    )


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
