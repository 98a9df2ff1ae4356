"""Prometheus' own tool accepts the scrape config, and the page that is scraped."""

from __future__ import annotations

import subprocess
import urllib.request
from fractions import Fraction
from pathlib import Path

import yaml

from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from pipeline.records import Digest, Span
from tests.needs import need_program

CONFIG = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"


def test_scrape_config_is_valid_and_stays_on_this_machine() -> None:
    promtool = need_program("promtool")
    done = subprocess.run(
        [promtool, "check", "config", str(CONFIG)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (job,) = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9464"]}]


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
