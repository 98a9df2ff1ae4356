"""The page of metrics: its forms, who may read it, and visitors who take their time."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from pipeline.errors import ConfigError
from pipeline.measure import server
from pipeline.measure.access import Access
from pipeline.measure.page import HUNG_S, MetricsPage
from pipeline.measure.server import MOST_VISITS, Answer, PageServer
from pipeline.measure.values import Metrics
from pipeline.media.credentials import Credentials
from tests.web_server import certificate

WITHIN_S = 10.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def some() -> Metrics:
    metrics = Metrics()
    metrics.add("events", "yard", "sound", "bark", exemplar={"event_id": "yard-17"})
    metrics.put("stream_up", 1, "yard")
    return metrics


def ask(
    url: str, headers: Mapping[str, str] | None = None, context: ssl.SSLContext | None = None
) -> tuple[int, Any, bytes]:
    """Status, headers and body."""
    request = urllib.request.Request(url, headers=dict(headers or {}))
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=WITHIN_S, context=context)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    with response:
        return response.status, response.headers, response.read()


def login(user: str, password: str) -> dict[str, str]:
    told = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {told}"}


def port_of(page: MetricsPage) -> int:
    assert page.address is not None
    return int(page.address.rpartition(":")[2])


def test_both_forms_and_both_packings_say_the_same() -> None:
    with MetricsPage(some(), 0) as page:
        assert page.url is not None
        _, headers, text = ask(page.url)
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        told = {family.name: family.samples for family in plain(text.decode())}
        assert told["witness_events"][0].value == 1.0
        _, headers, packed = ask(page.url, {"Accept-Encoding": "deflate, gzip;q=0.5"})
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed) == text
        _, headers, text = ask(page.url, {"Accept": OPENMETRICS})
        assert headers["Content-Type"].startswith(OPENMETRICS)
        families = {family.name: family for family in openmetrics(text.decode())}
        [sample] = families["witness_events"].samples
        assert sample.exemplar is not None
        assert sample.exemplar.labels == {"event_id": "yard-17"}


def test_a_form_that_nobody_knows_is_answered_in_the_usual_one() -> None:
    with MetricsPage(some(), 0) as page:
        assert page.url is not None
        strange = "application/openmetrics-text; version=new"
        status, headers, _ = ask(page.url, {"Accept": strange})
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain")


def test_health_is_that_of_the_loop() -> None:
    silent_s = [0.0]
    with MetricsPage(some(), 0, silent_s=lambda: silent_s[0]) as page:
        healthy = f"http://{page.address}/-/healthy"
        assert ask(healthy)[0] == 200
        silent_s[0] = HUNG_S + 1
        assert ask(healthy)[0] == 503
        assert ask(f"http://{page.address}/")[0] == 404


def test_only_who_shows_the_password_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "sü:ß secret")
    access = Access(credentials=Credentials(user="prometheus", password_env="PAGE_PASSWORD"))
    with MetricsPage(some(), 0, access) as page:
        assert page.url is not None
        assert ask(page.url, login("prometheus", "sü:ß secret"))[0] == 200
        wrong = [{}, login("prometheus", "sü:ß"), login("", "sü:ß secret"), login("a", "")]
        wrong += [{"Authorization": told} for told in ("Basic", "Basic =", "Basic ä", "Bearer a")]
        for shown in wrong:
            status, headers, body = ask(page.url, shown)
            assert (status, b"witness_" in body) == (401, False)
            assert headers["WWW-Authenticate"].startswith("Basic ")
        assert ask(f"http://{page.address}/-/healthy")[0] == 200


def test_a_changed_password_counts_at_once(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("prometheus:old\n", encoding="utf-8")
    with MetricsPage(some(), 0, Access(credentials=Credentials(file=str(secret)))) as page:
        assert page.url is not None
        assert ask(page.url, login("prometheus", "old"))[0] == 200
        secret.write_text("prometheus:new\n", encoding="utf-8")
        assert ask(page.url, login("prometheus", "old"))[0] == 401
        assert ask(page.url, login("prometheus", "new"))[0] == 200
        secret.unlink()
        status, _, body = ask(page.url, login("prometheus", "new"))
        assert (status, str(secret).encode() in body) == (503, False)


@pytest.mark.parametrize("held", ["", "nobody", ":a", "a:"])
def test_a_password_that_is_not_there_is_told_at_the_start(tmp_path: Path, held: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(held, encoding="utf-8")
    with (
        pytest.raises(ConfigError, match=r"^metrics: "),
        MetricsPage(some(), 0, Access(credentials=Credentials(file=str(secret)))),
    ):
        pass


def test_tls_with_a_certificate_that_is_renewed(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    access = Access(certificate=str(files[0]), key=str(files[1]))
    old = ssl.create_default_context(cafile=str(files[0]))
    with MetricsPage(some(), 0, access) as page:
        assert page.url is not None
        assert page.url.startswith("https://127.0.0.1:")
        assert b"witness_stream_up" in ask(page.url, context=old)[2]
        certificate(tmp_path)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(page.url, context=old)
        new = ssl.create_default_context(cafile=str(files[0]))
        assert ask(page.url, context=new)[0] == 200
        files[1].write_text("no key", encoding="utf-8")
        assert ask(page.url, context=new)[0] == 200
        with pytest.raises(OSError):
            ask(page.url.replace("https", "http"))
    with pytest.raises(ConfigError, match="PEM files"), MetricsPage(some(), 0, access):
        pass


def test_a_port_that_is_taken_is_an_error_where_it_was_named() -> None:
    with MetricsPage(some(), 0) as first:
        with MetricsPage(some(), port_of(first)) as second:
            assert port_of(second) != port_of(first)
        with (
            pytest.raises(ConfigError, match=f"at 127.0.0.1, port {port_of(first)}"),
            MetricsPage(some(), port_of(first), moves=False),
        ):
            pass


def caller(page: MetricsPage, says: bytes = b"") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port_of(page)), timeout=WITHIN_S)
    line.sendall(says)
    return line


@pytest.mark.parametrize("says", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost:"])
def test_who_says_nothing_holds_up_nobody(says: bytes) -> None:
    with ExitStack() as lines, MetricsPage(some(), 0) as page:
        assert page.url is not None
        before = threading.active_count()
        for _ in range(3 * MOST_VISITS):
            lines.enter_context(caller(page, says))
            assert threading.active_count() - before <= MOST_VISITS
        began = time.monotonic()
        assert ask(page.url)[0] == 200
        assert time.monotonic() - began < server.ASK_S


def test_who_says_nothing_holds_up_nobody_with_tls_either(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    access = Access(certificate=str(files[0]), key=str(files[1]))
    trusting = ssl.create_default_context(cafile=str(files[0]))
    with ExitStack() as lines, MetricsPage(some(), 0, access) as page:
        assert page.url is not None
        for _ in range(2 * MOST_VISITS):
            lines.enter_context(caller(page, b"\x16\x03\x01"))
        assert ask(page.url, context=trusting)[0] == 200


def test_who_asks_too_slowly_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ASK_S", 0.4)
    with MetricsPage(some(), 0) as page, caller(page) as line:
        began = time.monotonic()
        line.settimeout(0.05)
        over = False
        while not over:
            assert time.monotonic() - began < WITHIN_S
            line.sendall(b"G")  # a byte now and then: no single wait is long
            try:
                over = line.recv(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                over = True


def test_who_takes_the_answer_too_slowly_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TAKE_S", 0.3)
    body = bytes(32 * 2**20)
    served = PageServer("127.0.0.1", 0, lambda _path, _headers: Answer(200, body))
    try:
        with socket.create_connection(("127.0.0.1", served.port), timeout=WITHIN_S) as line:
            line.sendall(b"GET / HTTP/1.1\r\n\r\n")
            began, size = time.monotonic(), 0
            while True:
                try:
                    part = line.recv(16_384)
                except ConnectionError:
                    break
                if not part:
                    break
                size += len(part)
                assert time.monotonic() - began < WITHIN_S
                threading.Event().wait(0.001)  # 16 MB a second at most
        assert size < len(body)
    finally:
        served.close()


def test_what_is_not_understood_is_refused_and_the_next_one_served() -> None:
    with MetricsPage(some(), 0) as page:
        assert page.url is not None
        for says in (
            b"\0\0\0\r\n\r\n",
            b"POST /metrics HTTP/1.1\r\n\r\n",
            b"GET /" + b"a" * 99_999,
        ):
            answer = b""
            # It hangs up on who says more than it reads.
            with suppress(ConnectionError), caller(page, says) as line:
                answer = line.recv(100)
            assert b"200" not in answer.partition(b"\r\n")[0]
        with caller(page, b"HEAD /metrics HTTP/1.1\r\n\r\n") as line:
            answer = b"".join(iter(lambda: line.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.0 200 ")
        assert answer.endswith(b"\r\n\r\n")
        assert ask(page.url)[0] == 200


def test_a_defect_is_seen_by_who_asks() -> None:
    def fails(_path: str, _headers: Mapping[str, str]) -> Answer:
        raise KeyError("secret")

    served = PageServer("127.0.0.1", 0, fails)
    try:
        assert ask(f"http://127.0.0.1:{served.port}/")[::2] == (500, b"KeyError\n")
    finally:
        served.close()


def test_whoever_is_there_at_the_end_is_hung_up_on() -> None:
    with ExitStack() as lines:
        with MetricsPage(some(), 0) as page:
            line = lines.enter_context(caller(page, b"GET"))
            assert ask(str(page.url))[0] == 200
            began = time.monotonic()
        assert time.monotonic() - began < server.ASK_S - 1
        assert line.recv(1) == b""
