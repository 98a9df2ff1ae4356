"""Debian's Prometheus and Alertmanager as programs of a test, and a webhook that is told of alerts.

They run on the configuration that ships; a test changes where things are and how often they are
looked at, never a rule. All of it is on 127.0.0.1, on free ports, in folders of the test.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any, TypeVar

import yaml

from tests.needs import need_program

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus"
READY_WITHIN_S = 30.0
LOOK_S = 0.1
_LISTENING = re.compile(r'msg="Listening on" address=(\S+)')
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """A series that a query found, and its value."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it came to the webhook, and when (Unix seconds)."""

    at: float
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]


def wait_for(there: Callable[[], T | None], within_s: float, what: str) -> T:
    """What `there` gives, as soon as that is something true; fails when it takes too long."""
    end, never = time.monotonic() + within_s, Event()
    while not (found := there()):
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        never.wait(LOOK_S)
    return found


def api(url: str, path: str, **asked: str) -> Any:
    """What Prometheus' HTTP interface answers, such as `api(url, "query", query="up")`."""
    words = urllib.parse.urlencode(asked)
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{words}", timeout=10) as answer:
            return json.loads(answer.read())["data"]
    except urllib.error.HTTPError as error:
        message = f"{asked or path}: {error.read().decode()}"
        raise AssertionError(message) from error


def query(url: str, promql: str) -> list[Sample]:
    """The series that a query finds now; fails when Prometheus does not understand it."""
    found = api(url, "query", query=promql)["result"]
    return [Sample(one["metric"], float(one["value"][1])) for one in found]


@contextmanager
def prometheus(
    targets: Sequence[str],
    rules: Sequence[Path],
    folder: Path,
    *,
    scrape_s: float | None = 1.0,
    alertmanager: str | None = None,
    lists: Sequence[Path] = (),
) -> Iterator[str]:
    """The address of a Prometheus that scrapes these `host:port`; gone after the block.

    It scrapes and evaluates every `scrape_s`, or as it ships when that is None. `lists` are files
    of more targets, as witness writes them; `alertmanager` is the address of one.
    """
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    if scrape_s is not None:
        every = f"{round(scrape_s * 1000)}ms"
        config["global"].update(dict.fromkeys(config["global"], every))
    [job] = config["scrape_configs"]
    [found] = job.pop("file_sd_configs")
    if lists:
        job["file_sd_configs"] = [{**found, "files": [str(path) for path in lists]}]
    job["static_configs"][0]["targets"] = list(targets)
    config["rule_files"] = [str(path.resolve()) for path in rules]
    if alertmanager is None:
        config.pop("alerting", None)
    else:
        place = alertmanager.removeprefix("http://")
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [place]}]}]
    file = _write(folder, "prometheus.yml", config)
    options = [f"--storage.tsdb.path={folder / 'series'}", "--log.level=info"]
    with _served("prometheus", file, options) as url:
        yield url


@contextmanager
def alert_manager(webhook: str, folder: Path) -> Iterator[str]:
    """The address of an Alertmanager with the routes that ship, all of them to this webhook."""
    config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text(encoding="utf-8"))
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs", ()):
            hook["url"] = webhook
    file = _write(folder, "alertmanager.yml", config)
    options = [f"--storage.path={folder / 'alerts'}", "--cluster.listen-address="]
    with _served("prometheus-alertmanager", file, options) as url:
        yield url


class Webhook:
    """Takes what Alertmanager sends; `url` is where, while the block runs."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._news = Condition()

    def __enter__(self) -> Webhook:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook._take(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def heard(self, status: str, within_s: float, *, after: float = 0.0, **labels: str) -> Told:
        """The first alert of this status with these labels that came `after` (Unix seconds).

        Fails when none comes in time.
        """

        def found() -> Told | None:
            known = (one for one in self.told if one.at > after and one.status == status)
            return next((one for one in known if labels.items() <= one.labels.items()), None)

        with self._news:
            self._news.wait_for(found, within_s)
        told = found()
        assert told is not None, f"{labels} not {status} within {within_s:g} s: {self.told}"
        return told

    def _take(self, message: dict[str, Any]) -> None:
        now = time.time()
        with self._news:
            self.told += [
                Told(now, one["status"], one["labels"], one["annotations"])
                for one in message["alerts"]
            ]
            self._news.notify_all()


def _write(folder: Path, name: str, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


@contextmanager
def _served(program: str, config: Path, options: Sequence[str]) -> Iterator[str]:
    """The address that a program says it listens on, once it is ready; it ends with the block."""
    log = config.with_suffix(".log")
    words = [f"--config.file={config}", "--web.listen-address=127.0.0.1:0", *options]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [need_program(program), *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )

    def ready() -> str | None:
        said = log.read_text(encoding="utf-8")
        assert process.poll() is None, said
        place = _LISTENING.search(said)
        url = f"http://{place[1]}" if place else ""
        return url if url and _answers(f"{url}/-/ready") else None

    try:
        yield wait_for(ready, READY_WITHIN_S, f"{program} is ready")
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
