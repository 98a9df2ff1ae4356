"""The control interface over real connections."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pipeline.control.api import Control, app_of
from pipeline.control.client import Client
from pipeline.control.door import MOST_BYTES
from pipeline.control.place import Place, held_place
from pipeline.control.server import ControlServer
from pipeline.errors import ConfigError, NoAnswer
from tests.pipeline.run.fleets import Fleeting, fleeting

TOKEN = "a-token-that-nobody-else-has"
PAGE = "# TYPE witness_events_total counter\n"


@dataclass
class Served:
    """A fleet, and where it is controlled."""

    fleet: Fleeting
    url: str
    out: Path
    silent_s: float = 0.0

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer, with the right token unless the headers hold another."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        shown = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, {**shown, **named})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("control")
    with fleeting(folder) as fleet, held_place(folder / "out") as place:
        served = Served(fleet, "", folder / "out")
        app = app_of(Control(fleet.desired, lambda: served.silent_s, lambda: PAGE), TOKEN)
        with ControlServer(app, 0) as server:
            served.url = server.url
            place.tell(Place(server.url, TOKEN))
            yield served


def test_streams_are_added_and_removed(served: Served) -> None:
    new = {"name": "door", "url": "rtsp://10.0.0.6/main", "max_lag_s": 9}
    assert served.ask("POST", "/streams", json.dumps(new)) == (201, {"added": "door"})
    assert served.fleet.wanted == {"door": 9, "gate": 3, "yard": 5}
    assert served.ask("POST", "/streams/door/restart") == (202, {"restarted": "door"})
    assert served.ask("DELETE", "/streams/door") == (202, {"removed": "door"})
    assert served.fleet.wanted == {"gate": 3, "yard": 5}
    assert served.ask("GET", "/streams") == (200, {"streams": []})


def test_who_has_the_token_may_read_the_metrics(served: Served) -> None:
    assert served.ask("GET", "/metrics") == (200, {"metrics": PAGE})
    assert Client(served.out).metrics() == PAGE


@pytest.mark.parametrize("shown", ["", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"])
def test_who_does_not_show_the_token_learns_nothing(served: Served, shown: str) -> None:
    for method, path in (("GET", "/streams"), ("DELETE", "/streams/yard"), ("GET", "/docs")):
        status, answer = served.ask(method, path, Authorization=shown)
        assert status == 401
        assert "token" in answer["error"]
    assert served.fleet.wanted == {"gate": 3, "yard": 5}


@pytest.mark.parametrize("host", ["witness.example", "127.0.0.1.example:80", "", "[::1]:80"])
def test_a_request_for_another_host_is_refused(served: Served, host: str) -> None:
    assert served.ask("GET", "/streams", Host=host)[0] == 400
    assert served.ask("GET", "/health", Host=host)[0] == 400


def test_other_sites_are_not_invited(served: Served) -> None:
    connection = HTTPConnection(urlsplit(served.url).netloc, timeout=10)
    asks = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    connection.request("OPTIONS", "/streams", headers=asks)
    response = connection.getresponse()
    assert response.status == 401
    assert response.getheader("Access-Control-Allow-Origin") is None
    connection.close()


def test_health_is_open_and_tells_nothing_else(served: Served) -> None:
    assert served.ask("GET", "/health", Authorization="") == (200, {"health": "good"})
    served.silent_s = 99.0
    assert served.ask("GET", "/health", Authorization="")[0] == 503
    served.silent_s = 0.0


def test_a_request_that_is_too_long_is_refused_unread(served: Served) -> None:
    assert served.ask("POST", "/streams", "{}", Content_Length=str(MOST_BYTES + 1))[0] == 413
    chunked = {"Transfer_Encoding": "chunked"}
    assert served.ask("POST", "/streams", None, **chunked)[0] == 411


@pytest.mark.parametrize(
    ("said", "status", "why"),
    [
        ('{"name": "yard", "url": "rtsp://10.0.0.6/main"}', 409, "called 'yard' already"),
        ('{"name": "a/b", "url": "rtsp://10.0.0.6/main"}', 422, "name: "),
        ('{"name": "film", "url": "/etc/passwd"}', 409, "paths of this machine"),
        ('{"name": "evil", "url": "concat:a|b"}', 422, "concat addresses are not opened"),
        ('{"name": "pw", "url": "rtsp://user:hunter2@10.0.0.6/"}', 422, "credentials"),
        ('{"name": "x", "url": "rtsp://10.0.0.6/", "colour": "hunter2"}', 422, "colour: "),
        ("{", 422, "JSON"),
        ("[]", 422, "body: "),
    ],
)
def test_mistakes_are_told_in_words_and_without_values(
    served: Served, said: str, status: int, why: str
) -> None:
    came, answer = served.ask("POST", "/streams", said)
    assert came == status
    assert why in answer["error"]
    assert "hunter2" not in answer["error"]
    assert served.fleet.wanted == {"gate": 3, "yard": 5}


def test_what_is_not_there_is_told(served: Served) -> None:
    status, answer = served.ask("DELETE", "/streams/door")
    assert (status, answer) == (404, {"error": "no stream is called 'door'; there are gate, yard"})
    assert served.ask("GET", "/openapi.json")[0] == 404
    assert served.ask("PUT", "/streams")[0] == 405


def test_a_client_finds_it_by_its_folder(served: Served) -> None:
    client = Client(served.out)
    client.add("door", {"url": "rtsp://10.0.0.6/main"})
    assert served.fleet.wanted == {"door": 5, "gate": 3, "yard": 5}
    client.restart("door")
    client.remove("door")
    assert client.streams() == []
    with pytest.raises(ConfigError, match="no stream is called 'nix'"):
        client.remove("nix")


def test_one_that_does_not_answer_is_told_apart_from_none(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
    with held_place(tmp_path) as place:
        place.tell(Place(f"http://127.0.0.1:{port}", TOKEN))
        with pytest.raises(NoAnswer, match="does not answer"):
            Client(tmp_path).streams()


def test_a_port_that_is_taken_is_replaced(served: Served) -> None:
    taken = urlsplit(served.url).port
    assert taken
    app = app_of(Control(served.fleet.desired, lambda: 0.0, str), TOKEN)
    with ControlServer(app, taken) as other:
        assert other.url != served.url
