"""Prometheus' own tools accept the configuration that ships, and the page that is scraped."""

from __future__ import annotations

import subprocess
import urllib.request
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from pipeline.measure.page import MetricsPage
from pipeline.measure.targets import Target, told
from pipeline.measure.values import Metrics
from pipeline.records import Digest, Span
from tests.deploy.monitoring import SHIPPED, api, prometheus, query, wait_for
from tests.needs import need_program


def test_the_configuration_is_valid_and_stays_on_this_machine() -> None:
    path = SHIPPED / "prometheus.yml"
    done = subprocess.run(
        [need_program("promtool"), "check", "config", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("rules found") == 2
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    [job] = config["scrape_configs"]
    [here] = job["static_configs"]
    assert here["targets"] == ["127.0.0.1:9464"]
    [manager] = config["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["127.0.0.1:9093"]}]


def test_metrics_page_follows_the_rules_of_prometheus() -> None:
    promtool = need_program("promtool")
    metrics = Metrics()
    metrics.answered("sound", 4, 0.01)
    metrics.put("speed_ratio", 3.5, "yard")
    metrics.wrote([Digest("yard", "sound", Span(Fraction(0), Fraction(1)), "speech", 0.9, None)])
    with MetricsPage(metrics, 0) as page:
        assert page.url is not None
        with urllib.request.urlopen(page.url) as answer:
            text = answer.read()
    assert b"witness_events_total" in text
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr + done.stdout


@pytest.mark.slow
def test_a_page_that_is_listed_twice_is_one_target(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.put("processes", 3, "reader")
    with MetricsPage(metrics, 0) as page:
        assert page.url is not None
        place = page.url.split("/")[2]
        targets = tmp_path / "prometheus_targets.json"
        targets.write_text(told([Target(place, "driver")]))
        with prometheus([place], [], tmp_path, lists=[targets]) as url:
            found = wait_for(lambda: query(url, "witness_processes"), 20, "the page is scraped")
            known = api(url, "targets", state="active")["activeTargets"]
    assert [(one.labels["role"], one.value) for one in found] == [("reader", 3)]
    assert [one["labels"] for one in known] == [
        {"instance": place, "job": "witness", "page": "driver"}
    ]
