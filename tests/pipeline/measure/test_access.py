"""What is to be known of hosts, and what is unsafe about a page."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.measure.access import Access, is_any, is_loopback, own_address
from pipeline.media.credentials import Credentials


def test_hosts() -> None:
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "example.org")] == [False] * 3
    assert [is_any(host) for host in ("0.0.0.0", "::", "127.0.0.1", "a")] == [
        True,
        True,
        False,
        False,
    ]
    assert not is_any(own_address())


def test_an_address_of_this_machine_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "10.9.8.7")  # where there is no network
    assert ip_address(own_address()).version == 4


def test_what_is_unsafe_is_told(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("prometheus:secret", encoding="utf-8")
    secret.chmod(0o600)
    login = Credentials(file=str(secret))
    assert Access().worry() is None
    assert Access(credentials=login).worry() is None
    assert Access("0.0.0.0", login, "a.pem").worry() is None
    assert "crosses the network as it is" in str(Access("0.0.0.0", login).worry())
    secret.chmod(0o644)
    assert "chmod 600" in str(Access("0.0.0.0", login, "a.pem").worry())


def test_what_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigError, match="No such file"):
        Access(certificate=missing).checked()
    with pytest.raises(ConfigError, match="the environment has no PAGE_PASSWORD"):
        Access(credentials=Credentials("prometheus", password_env="PAGE_PASSWORD")).checked()
