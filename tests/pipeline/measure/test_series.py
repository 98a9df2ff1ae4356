"""The page is what prometheus_client makes of the same series, and its parsers read it."""

from __future__ import annotations

import math
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from pipeline.measure.series import EXEMPLAR_CHARACTERS, Series
from pipeline.metrics import BY_NAME, TABLE, Metric

ACCEPTS = "application/openmetrics-text; version=1.0.0"
VALUES = st.floats(0, 1e12, allow_subnormal=False) | st.sampled_from([math.inf, 1e-9, 0.1 + 0.2])
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NAMES = WORDS | st.sampled_from(['a "quoted" name', "back\\slash", "two\nlines"])


@st.composite
def feeds(draw: st.DrawFn) -> tuple[Metric, tuple[str, ...], float]:
    metric = draw(st.sampled_from([metric for metric in TABLE if metric.kind != "info"]))
    labels = tuple(draw(NAMES) for _ in metric.labels)
    return metric, labels, draw(VALUES)


def fed(told: list[tuple[Metric, tuple[str, ...], float]]) -> Series:
    series = Series()
    for metric, labels, value in told:
        if metric.kind == "counter":
            series.raise_to(metric.name, value, *labels)
        elif metric.kind == "gauge":
            series.put(metric.name, value, *labels)
        else:
            series.observe(metric.name, value, *labels)
    series.inform("build", {"witness": "1.2", "engine": "local"})
    return series


def samples(families: object) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    assert not isinstance(families, str)
    return sorted(
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in families  # type: ignore[attr-defined]
        for sample in family.samples
    )


@given(st.lists(feeds(), max_size=12))
def test_both_forms_of_the_page_say_what_the_library_says(
    told: list[tuple[Metric, tuple[str, ...], float]],
) -> None:
    series = fed(told)
    by_library = samples(plain(str(generate_latest(series.registry), "utf-8")))
    assert samples(plain(str(series.told()[0], "utf-8"))) == by_library
    assert samples(openmetrics(str(series.told(ACCEPTS)[0], "utf-8"))) == by_library


def test_every_metric_is_described_in_both_forms() -> None:
    told, kind = Series().told()
    assert kind.startswith("text/plain")
    described = {family.name for family in plain(str(told, "utf-8"))}
    assert described == {
        metric.full_name.removesuffix("_total") if metric.kind == "counter" else metric.full_name
        for metric in TABLE
    }
    told, kind = Series().told(ACCEPTS)
    assert kind.startswith("application/openmetrics-text")
    kinds = {family.name: family.type for family in openmetrics(str(told, "utf-8"))}
    assert kinds == {f"witness_{metric.name}": metric.kind for metric in TABLE}


def test_only_what_is_asked_for_is_told() -> None:
    series = fed([(BY_NAME["decoded"], ("a", "video"), 3), (BY_NAME["processes"], ("keeper",), 1)])
    [family] = plain(str(series.told(only={"witness_decoded_total"})[0], "utf-8"))
    assert family.samples[0].labels == {"stream": "a", "medium": "video"}


def test_a_header_that_makes_no_sense_is_answered_plainly() -> None:
    assert Series().told("application/openmetrics-text; version=new")[1].startswith("text/plain")


def test_an_exemplar_stands_in_openmetrics_alone() -> None:
    series = Series()
    labels = ("a", "sound", "bark")
    series.add("events", *labels, by=2, exemplar={"event_id": "sound:1.5"})
    assert b"sound:1.5" not in series.told()[0]
    families = openmetrics(str(series.told(ACCEPTS)[0], "utf-8"))
    [sample] = next(family.samples for family in families if family.name == "witness_events")
    assert sample.exemplar is not None
    assert (sample.exemplar.labels, sample.exemplar.value) == ({"event_id": "sound:1.5"}, 2.0)
    too_long = {"event_id": "x" * EXEMPLAR_CHARACTERS}
    with pytest.raises(ValueError, match="128 characters"):
        series.add("events", *labels, exemplar=too_long)


def test_a_stream_leaves_nothing_and_late_news_bring_nothing_back() -> None:
    series = Series()
    per_stream = [metric for metric in TABLE if "stream" in metric.labels]

    def feed_all() -> None:
        for stream in ("a", "b"):
            for metric in per_stream:
                labels = [stream if label == "stream" else label for label in metric.labels]
                if metric.kind == "histogram":
                    series.observe(metric.name, 1.0, *labels)
                else:
                    series.add(metric.name, *labels)

    def told(stream: str) -> int:
        return str(series.told()[0], "utf-8").count(f'stream="{stream}"')

    feed_all()
    of_one = told("a")
    assert of_one >= len(per_stream)
    series.forget("a")
    feed_all()
    assert (told("a"), told("b")) == (0, of_one)
    series.begin_stream("a")
    feed_all()
    assert (told("a"), told("b")) == (of_one, of_one)


def test_labels_are_those_of_the_table() -> None:
    with pytest.raises(ValueError, match="argument"):
        Series().add("decoded", "a")
    with pytest.raises(KeyError):
        Series().put("decoded_frames", 1.0)


def test_series_come_and_go_while_the_page_is_told() -> None:
    series = Series()

    def come_and_go() -> None:
        for number in range(2000):
            series.begin_stream(f"s{number % 7}")
            series.add("decoded", f"s{number % 7}", "video")
            series.forget(f"s{(number + 3) % 7}")

    thread = Thread(target=come_and_go)
    thread.start()
    while thread.is_alive():
        samples(plain(str(series.told()[0], "utf-8")))
    thread.join()
