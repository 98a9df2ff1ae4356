"""Who may come in to the control interface: asked before anything of a request is looked at."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_BYTES = 64 * 1024
OPEN = "/health"
HOSTS = ("127.0.0.1", "localhost")


class Door:
    """Lets a request pass that names this machine, shows the token, and is of a sensible size.

    A web page whose name was bent to 127.0.0.1 (DNS rebinding) names another host.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with a refusal, or hands the request on."""
        refusal = self._refusal(scope["path"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> JSONResponse | None:
        if headers.get("host", "").rsplit(":", 1)[0] not in HOSTS:
            return refused(400, "ask for 127.0.0.1 or localhost")
        shown = headers.get("authorization", "").encode()
        if path != OPEN and not hmac.compare_digest(shown, self._wanted):
            answer = refused(401, "show the token that is in control.json: Authorization: Bearer …")
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            return refused(411, "say how long the request is: Content-Length")
        if int(length) > MOST_BYTES:
            return refused(413, f"a request has at most {MOST_BYTES} bytes")
        return None


def refused(status: int, why: str) -> JSONResponse:
    """An answer that says in words why not."""
    return JSONResponse({"error": why}, status)
