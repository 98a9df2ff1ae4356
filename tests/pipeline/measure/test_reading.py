"""Two readings of a page: totals, rates and quantiles."""

import pytest

from pipeline.measure.reading import Reading
from pipeline.measure.values import Metrics


def test_rates_are_told_of_what_rose_between_two_readings() -> None:
    metrics = Metrics()
    metrics.raise_to("decoded", 100, "yard", "video")
    metrics.raise_to("decoded", 900, "yard", "audio")
    before = Reading.of(metrics.page(), at_s=10.0)
    metrics.raise_to("decoded", 150, "yard", "video")
    metrics.raise_to("decoded", 30, "gate", "video")
    now = Reading.of(metrics.page(), at_s=12.0)
    assert now.rate(before, "decoded", stream="yard", medium="video") == 25
    assert now.rate(before, "decoded", medium="video") == 40
    assert now.total("decoded", stream="yard") == 1050
    assert now.values("decoded", "stream") == ["gate", "yard"]
    assert sorted((labels["stream"], step) for labels, step in now.risen(before, "decoded")) == [
        ("gate", 30),
        ("yard", 50),
    ]


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    metrics, again = Metrics(), Metrics()
    metrics.raise_to("media_seconds", 500, "yard")
    again.raise_to("media_seconds", 8, "yard")
    before, now = Reading.of(metrics.page(), 1.0), Reading.of(again.page(), 5.0)
    assert now.rate(before, "media_seconds", stream="yard") == 2


def test_a_quantile_is_of_what_came_since() -> None:
    metrics = Metrics()
    for _ in range(100):
        metrics.observe("stage_seconds", 4.0, "predict", "sound")
    before = Reading.of(metrics.page(), 1.0)
    assert before.quantile(before, "stage_seconds", 0.95, lane="sound") is None
    for seconds in (0.02,) * 19 + (0.3,):
        metrics.observe("stage_seconds", seconds, "predict", "sound")
    now = Reading.of(metrics.page(), 2.0)
    assert now.quantile(before, "stage_seconds", 0.95, lane="sound") == 0.025
    assert now.quantile(before, "stage_seconds", 0.99, lane="sound") == 0.5
    assert now.quantile(before, "stage_seconds", 0.99, lane="action") is None


def test_a_name_that_is_in_no_table_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Reading(0.0).total("no_such_metric")
