"""HTTP as witness speaks it: every connection, redirect and part of a playlist under the policy.

FFmpeg's own HTTP follows redirects to anywhere, does not verify the certificates of a playlist's
segments, and looks a host up again after it was checked. So it is not used: FFmpeg is given what
is read here.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.request
from functools import partial
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from pipeline.errors import (
    SourceAbsent,
    SourceError,
    SourceForbidden,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from pipeline.media.address import Web
from pipeline.redaction import redact

AGENT = "witness"
MAX_REDIRECTS = 5


class WebClient:
    """Opens addresses under a source's policy, with its login for its own host alone."""

    def __init__(self, url: str, web: Web) -> None:
        self._opener = urllib.request.OpenerDirector()
        handlers: list[urllib.request.BaseHandler] = [
            _PlainHandler(web),
            _SecureHandler(web),
            _Redirects(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
        ]
        if web.login is not None:
            logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            parts = urlsplit(url)
            logins.add_password(None, f"{parts.scheme}://{parts.netloc}/", *web.login)
            handlers += [_Digest(logins), _Basic(logins)]
        for handler in handlers:
            self._opener.add_handler(handler)
        self._opener.addheaders = [("User-Agent", AGENT)]
        self._timeout_s = web.open_timeout_s

    def get(self, url: str, first: int = 0, end: int | None = None) -> http.client.HTTPResponse:
        """The open answer to a GET of the bytes from `first` up to `end`; SourceError if none."""
        request = urllib.request.Request(_checked(url))
        if first or end is not None:
            request.add_header("Range", f"bytes={first}-{'' if end is None else end - 1}")
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout_s)
        except HTTPError as error:
            error.close()
            raise _told(url, error.code) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise cannot_reach(redact(url), error) from None
        return answer


def cannot_reach(shown: str, error: Exception) -> SourceError:
    """What went wrong with a connection, in words and with what to do."""
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return SourceUnreadable(
            f"{shown}: the certificate is not trusted ({inner.verify_message}); name the authority"
            " that signed it as tls.ca_file, or correct the host name"
        )
    if isinstance(inner, ssl.SSLError):
        return SourceUnreadable(f"{shown}: no secure connection ({inner.reason}); is it TLS?")
    if isinstance(inner, TimeoutError):
        return SourceAbsent(f"{shown}: no answer in time; is the sender running?")
    if isinstance(inner, OSError):
        what = inner.strerror or "it was closed"
        return SourceAbsent(f"{shown}: no connection ({what}); is the sender running?")
    if isinstance(inner, ValueError):
        return SourceRefused(f"{shown}: it wants a way to log in that is neither Basic nor Digest")
    return SourceUnreadable(f"{shown}: what answers there does not speak HTTP")


def _told(url: str, status: int) -> SourceError:
    shown = redact(url)
    if status in (401, 403, 407):
        return SourceRefused(f"{shown}: refused ({status}); check the user name and the password")
    if status in (404, 410):
        return SourceMissing(f"{shown}: nothing is there ({status}); check the address")
    return SourceUnreadable(f"{shown}: the server answers {status}; look at its own log")


def _checked(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        message = f"{redact(url)}: a source on the web may lead to http and https alone"
        raise SourceForbidden(message)
    return url


def _context(web: Web) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=web.ca_file)
    except OSError:
        message = f"{web.ca_file}: no file of certificates that can be read; check tls.ca_file"
        raise SourceUnreadable(message) from None
    if not web.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connected(host: str, port: int, web: Web) -> socket.socket:
    """A connection to one of the host's addresses, after all of them were checked."""
    failure: OSError = ConnectionError("no address")
    for address in web.allow.resolve(host, port, f"{host}:{port}"):
        try:
            link = socket.create_connection((str(address), port), web.open_timeout_s)
        except OSError as error:
            failure = error
        else:
            link.settimeout(web.read_timeout_s)
            return link
    raise failure


def secure(link: socket.socket, host: str, web: Web) -> ssl.SSLSocket:
    """The connection under TLS, once the other side has shown a certificate that is trusted."""
    return _context(web).wrap_socket(link, server_hostname=host)


class _Plain(http.client.HTTPConnection):
    def __init__(self, host: str, *, web: Web, **options: Any) -> None:
        super().__init__(host, **options)
        self._web = web

    def connect(self) -> None:
        self.sock = connected(self.host, self.port, self._web)


class _Secure(http.client.HTTPSConnection):
    def __init__(self, host: str, *, web: Web, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(host, context=context, **options)
        self._web, self._secure = web, context

    def connect(self) -> None:
        link = connected(self.host, self.port, self._web)
        self.sock = self._secure.wrap_socket(link, server_hostname=self.host)


class _PlainHandler(urllib.request.HTTPHandler):
    def __init__(self, web: Web) -> None:
        super().__init__()
        self._connection = partial(_Plain, web=web)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def __init__(self, web: Web) -> None:
        super().__init__()
        self._web = web
        self._connection: partial[_Secure] | None = None

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if self._connection is None:  # to load what a machine trusts takes 50 ms
            self._connection = partial(_Secure, web=self._web, context=_context(self._web))
        return self.do_open(self._connection, req)


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        with fp:
            if urlsplit(_checked(newurl)).scheme == "http" and req.type == "https":
                shown = redact(req.full_url)
                message = f"{shown}: sends on from https to http; that is not followed"
                raise SourceForbidden(message)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Digest(urllib.request.HTTPDigestAuthHandler):
    """Answers once: cameras lock out who tries a wrong password many times."""

    def http_error_401(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        with fp:
            return super().http_error_401(req, fp, code, msg, headers)

    def retry_http_digest_auth(self, req: urllib.request.Request, auth: str) -> Any:
        if req.has_header(self.auth_header):
            return None
        return super().retry_http_digest_auth(req, auth)


class _Basic(urllib.request.HTTPBasicAuthHandler):
    """Comes after the other, whose scheme it would take for a mistake."""

    def http_error_401(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        if req.has_header("Authorization"):
            return None
        return super().http_error_401(req, fp, code, msg, headers)
