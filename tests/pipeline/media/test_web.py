"""HTTP under the policy, against real servers."""

import hashlib
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import (
    SourceAbsent,
    SourceForbidden,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from pipeline.media.address import Web
from pipeline.media.web import MAX_REDIRECTS, WebClient
from tests.web_server import OTHER_HOST, Answer, Route, ThisHostOnly, WebServer, certificate

WEB = Web(ThisHostOnly(), True, None, open_timeout_s=2, read_timeout_s=2, patience_s=0)
LOGIN = replace(WEB, login=("admin", "hunter2"))


def got(server: WebServer, path: str = "/", web: Web = WEB) -> bytes:
    url = server.url(path)
    with WebClient(url, web).get(url) as answer:
        return answer.read()


def sent_on(location: str) -> Answer:
    return Answer(status=302, headers={"Location": location})


def test_a_body_and_a_part_of_it() -> None:
    def part(headers: Mapping[str, str]) -> Answer:
        return Answer(headers["Range"].encode(), 206)

    with WebServer({"/": Answer(b"hello"), "/part": part}).serving() as server:
        assert got(server) == b"hello"
        client = WebClient(server.url("/"), WEB)
        assert client.get(server.url("/part"), 2, 4).read() == b"bytes=2-3"
        assert client.get(server.url("/part"), 2).read() == b"bytes=2-"


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, SourceRefused, "check the user name and the password"),
        (403, SourceRefused, "refused .403."),
        (404, SourceMissing, "nothing is there .404."),
        (410, SourceMissing, "check the address"),
        (503, SourceUnreadable, "the server answers 503"),
        (429, SourceUnreadable, "answers 429"),
    ],
)
def test_a_status_is_told_in_words(status: int, kind: type[Exception], told: str) -> None:
    with (
        WebServer({"/": Answer(status=status)}).serving() as server,
        pytest.raises(kind, match=told),
    ):
        got(server)


def test_sending_on_is_followed_where_the_policy_lets_it() -> None:
    with WebServer({"/": sent_on("/there"), "/there": Answer(b"hello")}).serving() as server:
        assert got(server) == b"hello"


def test_sending_on_to_another_host_is_not_followed() -> None:
    with WebServer({"/there": Answer(b"secret")}).serving() as server:
        server.routes["/"] = sent_on(server.url("/there", OTHER_HOST))
        with pytest.raises(SourceForbidden, match=re.escape(f"{OTHER_HOST} is at {OTHER_HOST}")):
            got(server)
        assert server.asked == ["/"]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://host/a", "data:text/plain,a", "gopher://host/"]
)
def test_sending_on_leads_to_http_alone(location: str) -> None:
    with (
        WebServer({"/": sent_on(location)}).serving() as server,
        pytest.raises((SourceForbidden, SourceUnreadable), match=r"http and https|answers 302"),
    ):
        got(server)


def test_sending_on_in_a_circle_ends() -> None:
    with WebServer({"/": sent_on("/"), "/a": sent_on("/b"), "/b": sent_on("/a")}).serving() as one:
        with pytest.raises(SourceUnreadable, match="answers 302"):
            got(one)
        assert len(one.asked) <= MAX_REDIRECTS + 1


def test_a_login_is_for_its_own_host_alone() -> None:
    def door(headers: Mapping[str, str]) -> Answer:
        if "Authorization" in headers:
            return Answer(b"hello")
        return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="yard"'})

    routes: dict[str, Route] = {"/": door}
    with WebServer(routes).serving() as server, WebServer(routes).serving() as other:
        assert got(server, web=LOGIN) == b"hello"
        assert server.logins == [None, "Basic YWRtaW46aHVudGVyMg=="]
        server.routes["/"] = sent_on(other.url("/"))
        with pytest.raises(SourceRefused):
            got(server, web=LOGIN)
        assert other.logins == [None]


def test_digest_and_a_wrong_password_once() -> None:
    asks = 'Digest realm="yard", nonce="abc", qop="auth", algorithm=MD5'

    def door(headers: Mapping[str, str]) -> Answer:
        said = dict(re.findall(r'(\w+)="?([^",]+)', headers.get("Authorization", "")))
        ha1 = hashlib.md5(b"admin:yard:hunter2").hexdigest()
        ha2 = hashlib.md5(b"GET:/").hexdigest()
        middle = f"abc:{said.get('nc')}:{said.get('cnonce')}:auth"
        if said.get("response") == hashlib.md5(f"{ha1}:{middle}:{ha2}".encode()).hexdigest():
            return Answer(b"hello")
        return Answer(status=401, headers={"WWW-Authenticate": asks})

    with WebServer({"/": door}).serving() as server:
        assert got(server, web=LOGIN) == b"hello"
        server.asked.clear()
        with pytest.raises(SourceRefused) as caught:
            got(server, web=replace(WEB, login=("admin", "wrong-one")))
        assert len(server.asked) == 2
        assert "wrong-one" not in str(caught.value)


def test_a_way_to_log_in_that_is_not_known() -> None:
    answer = Answer(status=401, headers={"WWW-Authenticate": 'Negotiate realm="yard"'})
    with (
        WebServer({"/": answer}).serving() as server,
        pytest.raises(SourceRefused, match="neither Basic nor Digest"),
    ):
        got(server, web=LOGIN)


def test_a_certificate_is_looked_at(tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    with WebServer({"/": Answer(b"hello")}).secured(made, key).serving() as server:
        with pytest.raises(SourceUnreadable, match=r"certificate is not trusted .*self-signed"):
            got(server)
        assert got(server, web=replace(WEB, ca_file=str(made))) == b"hello"
        assert got(server, web=replace(WEB, tls_verify=False)) == b"hello"
        with pytest.raises(SourceUnreadable, match=r"check tls\.ca_file"):
            got(server, web=replace(WEB, ca_file=str(tmp_path / "none.pem")))


def test_sending_on_never_gives_up_the_secure_connection(tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    with (
        WebServer({"/": Answer(b"secret")}).serving() as plain,
        WebServer({"/": sent_on(plain.url("/"))}).secured(made, key).serving() as server,
    ):
        with pytest.raises(SourceForbidden, match="from https to http"):
            got(server, web=replace(WEB, ca_file=str(made)))
        assert plain.asked == []


def test_what_does_not_answer_or_does_not_speak_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(SourceAbsent, match="no answer in time"):
            WebClient(url, replace(WEB, read_timeout_s=0.2)).get(url)
        with pytest.raises(SourceUnreadable, match=r"no secure connection|no answer in time"):
            secure = url.replace("http", "https")
            WebClient(secure, replace(WEB, read_timeout_s=0.2)).get(secure)
    with pytest.raises(SourceAbsent, match="Connection refused"):
        WebClient(url, WEB).get(url)
    with pytest.raises(SourceForbidden, match="http and https alone"):
        WebClient(url, WEB).get("file:///etc/passwd")
