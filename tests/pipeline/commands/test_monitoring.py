"""The pages of a job: on the port that was asked for, and named for Prometheus."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pipeline.commands.monitoring import fleet_pages, job_page
from pipeline.commands.request import RunRequest
from pipeline.config.access import MetricsConfig
from pipeline.errors import ConfigError
from pipeline.measure import targets
from pipeline.measure.values import Metrics
from pipeline.run.local_crew import LocalCrew


def port_of(url: str | None) -> int:
    assert url is not None
    return int(url.split(":")[2].partition("/")[0])


def test_a_port_that_was_named_is_served_or_is_an_error(tmp_path: Path) -> None:
    told: list[str] = []
    usual, tell = MetricsConfig(), told.append
    with (
        job_page(Metrics(), 0, usual, tmp_path, tell),
        job_page(Metrics(), -1, usual, None, tell),
    ):
        taken = port_of(*told)
        with (
            pytest.raises(ConfigError, match=f"port {taken}"),
            job_page(Metrics(), taken, usual, None, tell),
        ):
            pass
        on_the_usual = MetricsConfig.model_construct(
            **{**dict(usual), "port": taken}, _fields_set=set()
        )
        with job_page(Metrics(), None, on_the_usual, None, tell):
            assert port_of(told[-1]) != taken


def test_a_job_may_be_open_to_who_knows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "s3cret")
    told: list[str] = []
    config = MetricsConfig.model_validate(
        {
            "host": "0.0.0.0",
            "port": 0,
            "credentials": {"user": "ops", "password_env": "PAGE_PASSWORD"},
        }
    )
    with job_page(Metrics(), None, config, None, told.append):
        page = f"http://127.0.0.1:{port_of(told[0])}/metrics"
        with pytest.raises(HTTPError, match="401"), urlopen(page):
            pass
        word = base64.b64encode(b"ops:s3cret").decode()
        asked = Request(page, headers={"Authorization": f"Basic {word}"})
        with urlopen(asked) as answer:
            assert b"witness_build_info" in answer.read()
    assert "s3cret" not in "\n".join(told)


@pytest.fixture
def request_of(tmp_path: Path) -> RunRequest:
    return RunRequest(
        addresses=("streams.yaml",),
        config=None,
        out=tmp_path / "out",
        engine="local",
        device="cpu",
        lanes=None,
        metrics_port=None,
        offline=True,
    )


def served(config: MetricsConfig, request: RunRequest) -> list[str]:
    """What is told while the pages are served."""
    told: list[str] = []
    with (
        LocalCrew() as crew,
        fleet_pages(request, config, Metrics(), crew, told.append, lambda: 0.0),
    ):
        pass
    return told


def test_the_command_line_goes_before_the_config(request_of: RunRequest) -> None:
    assert served(MetricsConfig(port=0), replace(request_of, metrics_port=-1)) == []
    assert served(MetricsConfig(port=-1), request_of) == []
    with socket.create_server(("127.0.0.1", 0)) as line:
        taken = line.getsockname()[1]
        config = MetricsConfig(port=taken)
        with pytest.raises(ConfigError, match=f"port {taken}"):
            served(config, request_of)
        [told] = served(config, replace(request_of, metrics_port=0))
        assert told.startswith("metrics at http://127.0.0.1:")


@pytest.mark.parametrize("named", [None, "elsewhere/t.json"])
def test_the_page_is_named_for_prometheus(
    request_of: RunRequest, named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "secret")
    file = tmp_path / named if named else request_of.out / "prometheus_targets.json"
    said: dict[str, Any] = {
        "host": "0.0.0.0",
        "port": 0,
        "credentials": {"user": "prometheus", "password_env": "PAGE_PASSWORD"},
        "targets": str(file) if named else None,
    }
    seen: list[Any] = []

    def look(text: str) -> str:
        seen.append(json.loads(text))
        return text

    written = targets.told
    monkeypatch.setattr(targets, "told", lambda pages: look(written(pages)))
    at, worry = served(MetricsConfig(**said), request_of)
    address = at.removeprefix("metrics at http://").removesuffix("/metrics")
    assert "crosses the network" in worry
    assert seen == [[{"targets": [address], "labels": {"page": "driver"}}], []]
    assert json.loads(file.read_text(encoding="utf-8")) == []
