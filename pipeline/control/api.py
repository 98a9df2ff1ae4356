"""What the control interface answers: streams as JSON, errors in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as Unanswered
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from pipeline.config.base import Name
from pipeline.config.streams import StreamConfig
from pipeline.control.door import Door, refused
from pipeline.errors import ConfigError, LaneError, SourceError
from pipeline.redaction import redact
from pipeline.run.live.desired import Desired

HUNG_S = 10.0


class NewStream(StreamConfig):
    """A stream and its name."""

    name: Name


class Control:
    """The streams of one witness, to be listed and changed; `silent_s` says if it still works.

    `metrics` gives the page that Prometheus reads, for who has the token.
    """

    def __init__(
        self, desired: Desired, silent_s: Callable[[], float], metrics: Callable[[], str]
    ) -> None:
        self._desired = desired
        self._silent_s = silent_s
        self._metrics = metrics

    def health(self) -> JSONResponse:
        """200 while the supervisor works, 503 when it hangs."""
        silent_s = self._silent_s()
        if silent_s > HUNG_S:
            return refused(503, f"nothing was supervised for {silent_s:.0f} s")
        return JSONResponse({"health": "good"})

    def streams(self) -> dict[str, Any]:
        """How every stream is, by name."""
        return {"streams": [asdict(status) for status in self._desired.statuses()]}

    def metrics(self) -> dict[str, str]:
        """What Prometheus is told."""
        return {"metrics": self._metrics()}

    def add(self, stream: NewStream) -> dict[str, str]:
        """Wants a stream that is in no file, within the limits of this interface."""
        self._desired.add(stream.name, stream)
        return {"added": stream.name}

    def remove(self, name: str) -> dict[str, str]:
        """Ends a stream; its results stay."""
        self._known(name)
        self._desired.remove(name)
        return {"removed": name}

    def restart(self, name: str) -> dict[str, str]:
        """Replaces a stream's reader."""
        self._known(name)
        self._desired.restart(name)
        return {"restarted": name}

    def _known(self, name: str) -> None:
        names = self._desired.names()
        if name not in names:
            told = f"no stream is called {name!r:.50}; there are {', '.join(names) or 'none'}"
            raise HTTPException(404, told)


def app_of(control: Control, token: str) -> ASGIApp:
    """The interface as an ASGI application, behind its door."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    routes = APIRouter()
    routes.add_api_route("/health", control.health, response_model=None)
    routes.add_api_route("/streams", control.streams)
    routes.add_api_route("/metrics", control.metrics)
    routes.add_api_route("/streams", control.add, methods=["POST"], status_code=201)
    routes.add_api_route("/streams/{name}", control.remove, methods=["DELETE"], status_code=202)
    routes.add_api_route(
        "/streams/{name}/restart", control.restart, methods=["POST"], status_code=202
    )
    app.include_router(routes)
    for error in (ConfigError, LaneError, SourceError):
        app.add_exception_handler(error, _not_so)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Unanswered, _unanswered)
    return Door(app, token)


def _not_so(_request: Request, error: Exception) -> JSONResponse:
    return refused(409, redact(str(error)))


def _not_understood(_request: Request, error: Exception) -> JSONResponse:
    """What is wrong with each key, without the values: one of them may be a secret."""
    assert isinstance(error, RequestValidationError)
    told = [
        f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: "
        + str(problem["msg"]).removeprefix("Value error, ")
        for problem in error.errors()
    ]
    return refused(422, redact("; ".join(told)))


def _unanswered(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Unanswered)
    return refused(error.status_code, str(error.detail))
