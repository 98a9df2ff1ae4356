"""Asking the witness that runs in a folder about its streams."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pipeline.control.place import find_place
from pipeline.errors import ConfigError, NoAnswer

ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the witness whose results go to `out`.

    Every method raises ConfigError, in words, when no witness runs there or when it refuses, and
    NoAnswer when it says nothing.
    """

    out: Path

    def streams(self) -> list[dict[str, Any]]:
        """How every stream is, by name."""
        streams: list[dict[str, Any]] = self._ask("GET", "/streams")["streams"]
        return streams

    def metrics(self) -> str:
        """Its metrics, as Prometheus reads them."""
        text: str = self._ask("GET", "/metrics")["metrics"]
        return text

    def add(self, name: str, stream: dict[str, Any]) -> None:
        """Adds a stream, of which is said what a file of streams would say."""
        self._ask("POST", "/streams", {"name": name, **stream})

    def remove(self, name: str) -> None:
        """Ends a stream."""
        self._ask("DELETE", f"/streams/{quote(name, safe='')}")

    def restart(self, name: str) -> None:
        """Replaces a stream's reader."""
        self._ask("POST", f"/streams/{quote(name, safe='')}/restart")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        place = find_place(self.out)
        headers = {"Authorization": f"Bearer {place.token}", "Content-Type": "application/json"}
        connection = HTTPConnection(urlsplit(place.url).netloc, timeout=ANSWER_S)
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, HTTPException, ValueError) as error:
            message = f"the witness that runs with --out {self.out} does not answer: {error}"
            raise NoAnswer(message) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ConfigError(str(answer.get("error", response.status)))
        return answer
