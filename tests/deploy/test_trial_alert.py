"""A camera is killed: who is told of it, how soon, and what is left of a stream that is removed."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.prometheus.series import RECORDS
from pipeline.cli import app
from pipeline.measure.targets import FILE
from tests.deploy.monitoring import (
    SHIPPED,
    Webhook,
    alert_manager,
    prometheus,
    query,
    wait_for,
)
from tests.live.conftest import Footage
from tests.live.running import Running, running
from tests.live.servers import RtspServer
from tests.live.watching import FULL, report
from tests.needs import need_program

pytestmark = [pytest.mark.slow, pytest.mark.alone]

TOLD_WITHIN_S = 15.0
KILLS = 8 if FULL else 2
NEWEST = re.compile(r"^Stream yard on 127\S+ has not played .+ newest frame came [\d.]+s ago\.$")
QUIET = {
    "stream:witness_decoded_frames:rate1m",
    "job_label:witness_events:rate5m",
    "job:witness_event_delay_seconds:p95_5m",
    "stream:witness_event_delay_seconds:p95_5m",
    "stream:witness_decode_damage:rate5m",
    "stream_lane:witness_lost:rate5m",
    "stream_lane:witness_lost:ratio_rate5m",
}
"""Series that are there only where something is seen, found, damaged or lost."""
RULES = [SHIPPED / "witness.rules.yml", SHIPPED / "witness.alerts.yml"]


def test_a_killed_camera_is_told_of_within_15_s_and_so_is_its_return(
    tmp_path: Path, yard: Footage
) -> None:
    """Found by the file that witness writes, with the intervals, rules and routes that ship."""
    with (
        RtspServer({"/yard": {"feed": yard.feed}}) as server,
        running(tmp_path, _streams(yard=server.url("/yard"), gate=yard.path)) as witness,
    ):
        witness.until(witness.plays("gate", "yard"))
        page = _page(witness)
        with (
            Webhook() as webhook,
            alert_manager(webhook.url, tmp_path / "alertmanager") as manager,
            prometheus(
                [],
                RULES,
                tmp_path / "prometheus",
                scrape_s=None,
                alertmanager=manager,
                lists=[witness.out / FILE],
            ) as url,
        ):
            wait_for(lambda: len(query(url, "witness_stream_up == 1")) == 2, 20, "both are seen")
            rounds = [_killed(server, webhook) for _ in range(KILLS)]
            seen = {one.labels["__name__"] for one in query(url, '{__name__=~".+:witness_.+"}')}
            removed_s = _removed(witness, page, url)
            told = {(one.labels["alertname"], one.labels.get("stream")) for one in webhook.told}
    fired, resolved = zip(*rounds, strict=True)
    report("alert", {"fired_s": fired, "resolved_s": resolved, "removed_s": removed_s})
    assert told == {("StreamDown", "yard")}
    assert {record.name for record in RECORDS} - seen <= QUIET
    assert max(*fired, *resolved) < TOLD_WITHIN_S


def _killed(server: RtspServer, webhook: Webhook) -> tuple[float, float]:
    """How long it took until the webhook knew that a camera was gone, and that it was back."""
    server.kill()
    killed = time.time()
    down = webhook.heard(
        "firing", TOLD_WITHIN_S, after=killed, alertname="StreamDown", stream="yard"
    )
    assert NEWEST.search(down.annotations["description"]), down
    back = server.restart()
    up = webhook.heard(
        "resolved", TOLD_WITHIN_S, after=killed, alertname="StreamDown", stream="yard"
    )
    return down.at - killed, up.at - back


def _streams(**places: str | Path) -> str:
    """A camera by its address; a clip that plays for ever at its own pace by its path."""
    said: dict[str, dict[str, Any]] = {
        name: {"url": str(place)}
        if isinstance(place, str)
        else {"url": str(place), "realtime": True, "loop": True}
        for name, place in places.items()
    }
    return "".join(f"  {name}: {json.dumps(stream)}\n" for name, stream in said.items())


def _page(witness: Running) -> str:
    found = re.search(r"metrics at (\S+)", witness.said)
    assert found, witness.said
    return found[1]


def _removed(witness: Running, page: str, url: str) -> float:
    """After how long a removed stream is gone from the page and from Prometheus."""
    assert b'stream="yard"' in _read(page)
    began = time.time()
    words = ["streams", "remove", "yard", "--out", str(witness.out)]
    assert CliRunner().invoke(app, words).exit_code == 0
    witness.until(witness.plays("gate"))
    left = _read(page)
    assert b'"yard"' not in left
    checked = subprocess.run(
        [need_program("promtool"), "check", "metrics"], input=left, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    series = '{__name__=~"witness_.*", stream="yard"}'
    assert query(url, '{__name__=~"witness_.*", stream="gate"}')
    wait_for(lambda: not query(url, series), TOLD_WITHIN_S, "its series end")
    return time.time() - began


def _read(page: str) -> bytes:
    with urllib.request.urlopen(page, timeout=5) as answer:
        text: bytes = answer.read()
    return text
