"""Where a page is served, and to whom."""

from __future__ import annotations

import binascii
import hmac
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from pipeline.errors import ConfigError, SourceUnreadable
from pipeline.media.credentials import Credentials

LOCAL = "127.0.0.1"
PORT = 9464


@dataclass(frozen=True, slots=True)
class Access:
    """Where a page listens, who may read it, and how it proves who it is.

    Plain data that may travel to another machine: passwords and keys are found there.
    """

    host: str = LOCAL
    credentials: Credentials | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "http" if self.certificate is None else "https"

    def checked(self) -> Access:
        """The same; ConfigError when password, certificate or key are not there to be used."""
        if self.credentials is not None:
            self._login(self.credentials)
        self.secured()
        return self

    def secured(self) -> Callable[[], ssl.SSLContext] | None:
        """What gives the TLS settings of a moment; None without TLS."""
        if self.certificate is None:
            return None
        return _Identity(self.certificate, self.key or self.certificate).settings

    def lets_in(self, shown: str) -> bool:
        """True for an Authorization header that shows what is asked for, if anything is.

        ConfigError when what it is to be compared with is not to be had now.
        """
        if self.credentials is None:
            return True
        wanted = ":".join(self._login(self.credentials)).encode()
        scheme, _, told = shown.partition(" ")
        try:
            login = binascii.a2b_base64(told.strip().encode())
        except ValueError:
            return False
        # Compared in any case, and all of it: how long it takes tells nothing.
        return hmac.compare_digest(login, wanted) and scheme.lower() == "basic"

    def worry(self) -> str | None:
        """What is unsafe about it; None when nothing is."""
        if self.credentials is None:
            return None
        if self.certificate is None and not is_loopback(self.host):
            return "the password crosses the network as it is; name a `certificate` and its `key`"
        return self.credentials.worry()

    @staticmethod
    def _login(credentials: Credentials) -> tuple[str, str]:
        try:
            user, password = credentials.resolve()
        except SourceUnreadable as error:
            message = f"metrics: {error}"
            raise ConfigError(message) from None
        if not user or ":" in user or not password:
            message = "metrics: the credentials need a user name without a colon, and a password"
            raise ConfigError(message)
        return user, password


class _Identity:
    """A certificate and its key, read again when they have changed: both run out and are renewed.

    ConfigError when they cannot be used at first; later the ones before stay until they can.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (certificate, key)
        self._settings: ssl.SSLContext
        self._seen = self._stamp()
        self._load()

    def settings(self) -> ssl.SSLContext:
        """The settings of this moment."""
        stamp = self._stamp()
        if stamp != self._seen and stamp is not None:
            with suppress(ConfigError):
                self._load()
                self._seen = stamp
        return self._settings

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            return tuple(Path(file).stat().st_mtime_ns for file in self._files)
        except OSError:
            return None

    def _load(self) -> None:
        settings = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate, key = self._files
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            settings.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as error:
            message = (
                f"metrics: certificate {certificate} and key {key} cannot be used: "
                f"{error.strerror if isinstance(error, OSError) else error}; both are PEM files,"
                " the key without a password"
            )
            raise ConfigError(message) from error
        self._settings = settings


def is_loopback(host: str) -> bool:
    """True for an address that only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_any(host: str) -> bool:
    """True for an address that stands for all of a machine's."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def own_address() -> str:
    """The address at which others most likely reach this machine; its name where it has none."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("192.0.2.1", 9))  # for documents alone; nothing is sent
        return str(line.getsockname()[0])
    return socket.gethostname()
