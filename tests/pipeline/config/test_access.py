"""The page of metrics is closed to the network unless somebody says how it is to be open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.access import MetricsConfig
from pipeline.config.load import load_fleet
from pipeline.errors import ConfigError
from pipeline.measure.access import Access
from pipeline.media.credentials import Credentials

LOGIN = {"user": "prometheus", "password_env": "PAGE_PASSWORD"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_no_password(host: str) -> None:
    assert MetricsConfig(host=host).build() == Access(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.4", "witness.example.org"])
def test_a_network_needs_a_password_or_a_word(host: str) -> None:
    with pytest.raises(ValidationError, match=f"at {host} the page is open to the network"):
        MetricsConfig(host=host)
    assert MetricsConfig(host=host, insecure=True).build() == Access(host)
    said: dict[str, Any] = {"host": host, "credentials": LOGIN}
    credentials = Credentials(user="prometheus", password_env="PAGE_PASSWORD")
    assert MetricsConfig(**said).build() == Access(host, credentials)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"key": "key.pem"}, "of no use without its `certificate`"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"port": -2}, "greater than or equal to -1"),
        ({"credentials": {"user": "prometheus"}}, "name one place of the password"),
        ({"credentials": {**LOGIN, "password": "secret"}}, "Extra inputs are not permitted"),
        ({"host": ""}, "at least 1 character"),
    ],
)
def test_what_cannot_be_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        MetricsConfig(**said)


def test_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    file.write_text(
        "streams: {}\nmetrics:\n  certificate: a.pem\n  key: /etc/b.pem\n  targets: t.json\n",
        encoding="utf-8",
    )
    metrics = load_fleet(file).metrics
    assert metrics.build() == Access(certificate=str(tmp_path / "a.pem"), key="/etc/b.pem")
    assert metrics.targets == str(tmp_path / "t.json")
    file.write_text("streams: {}\nmetrics:\n  host: 0.0.0.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"streams\.yaml:2: metrics: at 0\.0\.0\.0 the page"):
        load_fleet(file)
