"""Rules, alerts, routes and runbooks: made from the table of metrics, tried, and complete."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from deploy.prometheus.alerts import SHARED_ALERTS, STREAM_ALERTS
from deploy.prometheus.build import files
from deploy.prometheus.series import PLANNED, RECORDS, metric
from pipeline.metrics import READERS_LOST, TABLE
from pipeline.run.live.outbox import Reason
from tests.deploy.monitoring import SHIPPED, Webhook, alert_manager, wait_for
from tests.needs import need_program

pytestmark = pytest.mark.slow

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
MANAGER = SHIPPED / "alertmanager.yml"
ALERTS = {alert.name: alert for alert in (*STREAM_ALERTS, *SHARED_ALERTS)}
WRITTEN = files()
CASES = sorted((SHIPPED / "tests").glob("*.test.yml"))


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_rules_are_up_to_date(name: str) -> None:
    written = (SHIPPED / name).read_text(encoding="utf-8")
    assert written == WRITTEN[name], f"{name} is behind the code: run `make docs`"


def test_a_label_that_a_metric_does_not_have_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="witness_stream_up has no label 'lane'"):
        metric("stream_up", 'lane="sound"')


def test_alerts_lead_to_where_the_runbooks_are_served() -> None:
    text = files("https://example.org/books/")["witness.alerts.yml"]
    assert "runbook_url: https://example.org/books/StreamDown.md" in text


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_alerts_fire_when_they_should_and_not_else(case: Path) -> None:
    done = subprocess.run(
        [need_program("promtool"), "test", "rules", str(case)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_to_recover_and_not_to_fire() -> None:
    assert {case.name.removesuffix(".test.yml") for case in CASES} == set(ALERTS)
    for case in CASES:
        tests = yaml.safe_load(case.read_text(encoding="utf-8"))["tests"]
        seen = [[bool(asked["exp_alerts"]) for asked in t["alert_rule_test"]] for t in tests]
        assert [False, True, False] in seen, f"{case.name}: none fires and recovers"
        assert any(not any(told) for told in seen), f"{case.name}: none stays silent"
        asked = {one["alertname"] for test in tests for one in test["alert_rule_test"]}
        assert asked == {case.name.removesuffix(".test.yml")}


def test_what_is_lost_on_purpose_is_called_so_by_the_code() -> None:
    assert set(PLANNED) <= {
        *READERS_LOST,
        *get_args(Reason),
        "lower_rate",
        "stopped",
        "interrupted",
    }


def test_every_alert_has_a_runbook_that_names_what_there_is() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {*ALERTS, "README"}
    known = {record.name for record in RECORDS}
    for one in TABLE:
        ends = ("_bucket", "_sum", "_count") if one.kind == "histogram" else ("",)
        known |= {one.full_name + end for end in ends}
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    for name, alert in ALERTS.items():
        text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {name}\n")
        assert f"({name}.md) | {alert.severity} |" in index
        told = set(re.findall(r"[a-z_]+:witness_[a-z_]+(?::\w+)?|(?<!:)\bwitness_[a-z_0-9]+", text))
        assert told <= known, f"{name}.md: {told - known}"


def test_alertmanager_takes_its_configuration_and_knows_every_alert() -> None:
    amtool = need_program("amtool")
    done = subprocess.run([amtool, "check-config", str(MANAGER)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for severity, receiver in (("critical", "on-call"), ("warning", "office")):
        words = ["config", "routes", "test", f"--config.file={MANAGER}", f"severity={severity}"]
        done = subprocess.run([amtool, *words], capture_output=True, check=True)
        assert done.stdout.decode().strip() == receiver
    text = MANAGER.read_text(encoding="utf-8")
    named = re.findall(r'alertname !?=~? "([^"]+)"', text)
    assert {name for names in named for name in names.split("|")} <= set(ALERTS)
    assert {alert.severity for alert in ALERTS.values()} == {"critical", "warning"}


def test_what_follows_from_something_else_is_not_told_besides(tmp_path: Path) -> None:
    def alert(name: str, **labels: str) -> dict[str, Any]:
        return {"labels": {"alertname": name, "job": "witness", "instance": "one", **labels}}

    alerts = [
        alert("StreamDown", severity="critical", stream="yard"),
        alert("StreamStale", severity="warning", stream="yard"),
        alert("StreamStale", severity="warning", stream="gate"),
        alert("SinkFailing", severity="critical", stream="yard"),
    ]
    with Webhook() as webhook, alert_manager(webhook.url, tmp_path) as url:
        _post(f"{url}/api/v2/alerts", alerts)
        assert webhook.heard("firing", 10, alertname="StreamDown").labels["stream"] == "yard"
        webhook.heard("firing", 10, alertname="SinkFailing")
        assert _inhibited(url) == [("StreamStale", "yard")]
        _post(f"{url}/api/v2/alerts", [alert("WitnessAbsent", severity="critical")])
        wait_for(lambda: len(_inhibited(url)) == 4, 10, "nothing but WitnessAbsent is told")


def _post(url: str, body: object) -> None:
    asked = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert answer.status == 200


def _inhibited(url: str) -> list[tuple[str, str]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        alerts = json.load(answer)
    return sorted(
        (one["labels"]["alertname"], one["labels"]["stream"])
        for one in alerts
        if one["status"]["inhibitedBy"]
    )
