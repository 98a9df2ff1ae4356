"""Where a live source is, as plain data that may travel, and what FFmpeg is told at each connect.

An address holds no secret, only where one is found: it is read anew at every connect, so that a
password may change while a stream runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pipeline.errors import SourceUnreadable
from pipeline.media.credentials import Credentials
from pipeline.media.kinds import LOCAL_KINDS, PORTS, Kind, check_kind, kind_of
from pipeline.media.policy import ANYWHERE, AddressPolicy, trusted_file
from pipeline.redaction import redact

Transport = Literal["auto", "tcp", "udp"]
LIVE_OPTIONS = {"fpsprobesize": "0"}
"""The rate is not waited for, which costs more than a second."""
ANALYSE_SHARE, ANALYSE_MOST_S = 0.6, 3.0
"""How much of the time-out a first keyframe is waited for, without which no size is known."""
RTSP_TRANSPORTS: dict[Transport, dict[str, str]] = {
    # FFmpeg tries every transport that it is given, TCP first, and keeps the first that plays.
    "auto": {"rtsp_transport": "tcp+udp", "rtsp_flags": "prefer_tcp"},
    "tcp": {"rtsp_transport": "tcp"},
    "udp": {"rtsp_transport": "udp"},
}
PATIENCE = 0.8
"""The share of the time-out in which a playlist's parts are asked for again."""
# A burst that is not read at once must not end the stream: 18,800 kB, and the rest is lost.
UDP_QUERY = {"fifo_size": "100000", "overrun_nonfatal": "1"}
_FORMATS: dict[Kind, str] = {
    "rtsp": "rtsp",
    "hls": "hls",
    "mjpeg": "mpjpeg",
    "mpegts": "mpegts",
    "sdp": "sdp",
    "device": "v4l2",
}
_PROTOCOLS: dict[Kind, str] = {
    "rtsp": "rtsp,rtsps,rtp,srtp,tcp,udp,tls",
    "rtmp": "rtmp,rtmps,ffrtmphttp,tcp,tls",
    "mpegts": "udp,tcp",
    "sdp": "file,rtp,srtp,udp",
    "device": "file",
    "file": "file",
    "folder": "file",
}
_SDP_HOST = re.compile(r"(?m)^c=IN IP[46] ([^/\s]+)")


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """A source that may come and go: what it is, where, and how patient to be with it.

    `interface` is the address of this machine's network card that a multicast group is joined on.
    """

    kind: Kind
    url: str
    transport: Transport = "auto"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    stall_s: float = 4.0
    tls_verify: bool = True
    ca_file: str | None = None
    interface: str | None = None
    hwaccel: str | None = None
    realtime: bool = False
    loop: bool = False
    credentials: Credentials | None = None
    allow: AddressPolicy = field(default_factory=AddressPolicy)

    @property
    def shown(self) -> str:
        """The url as it may be told: without user names, passwords and tokens."""
        return redact(self.url)

    @property
    def unpaced(self) -> bool:
        """True for files that are read as fast as they are wanted."""
        return self.kind == "folder" or (self.kind == "file" and not self.realtime)

    @property
    def path(self) -> Path:
        """Where a local kind is on this machine's disk."""
        return Path(re.sub(r"^file:(//)?", "", self.url))


@dataclass(frozen=True, slots=True)
class Web:
    """How HTTP is spoken, which witness does itself so that the policy holds for every part."""

    allow: AddressPolicy
    tls_verify: bool
    ca_file: str | None
    open_timeout_s: float
    read_timeout_s: float
    patience_s: float
    """How long parts of a playlist are asked for again, before they are given up."""
    login: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """Everything that one opening needs; made anew for each, since it may hold a password."""

    url: str = field(repr=False)
    shown: str
    kind: Kind
    format: str | None
    options: dict[str, str] = field(repr=False)
    protocols: str
    timeout_s: tuple[float, float] | None
    """Of the opening and of each read; None for what is on this machine."""
    hwaccel: str | None = None
    web: Web | None = None


def plan_of(address: LiveAddress, part: Path | None = None) -> OpenPlan:
    """How to open the source now; `part` names the file of a `folder` that is to be opened.

    Raises SourceForbidden when the policy does not let it, and SourceUnreadable when the host is
    unknown or the password is not where it should be.
    """
    check_kind(address.kind, address.url)
    if address.kind in LOCAL_KINDS:
        return _local_plan(address, part)
    login = address.credentials.resolve() if address.credentials else None
    _check_host(address)
    if address.kind in ("hls", "http", "mjpeg"):
        return _web_plan(address, login)
    analyse_s = min(ANALYSE_MOST_S, ANALYSE_SHARE * address.open_timeout_s)
    options = {**LIVE_OPTIONS, "analyzeduration": str(round(analyse_s * 1e6))}
    url = _with_login(address.url, login)
    if address.kind == "rtsp":
        wait_us = str(round(address.open_timeout_s * 1e6))
        options |= {**RTSP_TRANSPORTS[address.transport], "timeout": wait_us}
    elif address.kind == "mpegts":
        url = _with_query(url, address)
    if urlsplit(url).scheme in ("rtsps", "rtmps"):
        options |= _tls_options(address)
    return OpenPlan(
        url=url,
        shown=address.shown,
        kind=address.kind,
        format=_FORMATS.get(address.kind),
        options=options,
        protocols=_PROTOCOLS[address.kind],
        timeout_s=(address.open_timeout_s, address.read_timeout_s),
        hwaccel=address.hwaccel,
    )


def typed_plan(source: str, timeout_s: float) -> OpenPlan:
    """How to open an address of the web that somebody typed, perhaps with a login in it."""
    parts = urlsplit(source)
    place = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=place))
    address = LiveAddress(
        kind_of(url),
        url,
        open_timeout_s=timeout_s,
        read_timeout_s=timeout_s,
        stall_s=timeout_s,
        allow=ANYWHERE,
    )
    plan = plan_of(address)
    if plan.web is None or parts.username is None:
        return plan
    login = (unquote(parts.username), unquote(parts.password or ""))
    return replace(plan, web=replace(plan.web, login=login))


def _local_plan(address: LiveAddress, part: Path | None) -> OpenPlan:
    path = part if address.kind == "folder" and part is not None else address.path
    if address.kind == "sdp":
        _check_sdp(address)
    options = {"reorder_queue_size": "500"} if address.kind == "sdp" else {}
    waits = (address.open_timeout_s, address.read_timeout_s)
    return OpenPlan(
        url=str(path),
        shown=str(path),
        kind=address.kind,
        format=_FORMATS.get(address.kind),
        options=options,
        protocols=_PROTOCOLS[address.kind],
        timeout_s=waits if address.kind in ("sdp", "device") else None,
        hwaccel=address.hwaccel,
    )


def web_of(address: LiveAddress, patience_s: float, login: tuple[str, str] | None) -> Web:
    """How witness itself connects to the source."""
    return Web(
        allow=address.allow,
        tls_verify=address.tls_verify,
        ca_file=address.ca_file,
        open_timeout_s=address.open_timeout_s,
        read_timeout_s=address.read_timeout_s,
        patience_s=patience_s,
        login=login,
    )


def _web_plan(address: LiveAddress, login: tuple[str, str] | None) -> OpenPlan:
    options, waits = {}, (address.open_timeout_s, address.read_timeout_s)
    if address.kind == "hls":
        # Names of segments are no protection where every part is fetched under the policy.
        options = {"http_persistent": "0", "http_multiple": "0", "extension_picky": "0"}
        options |= {"allowed_extensions": "ALL", "allowed_segment_extensions": "ALL"}
        # Parts come in bursts of a segment, with nothing in between.
        longest = max(*waits, address.stall_s)
        waits = (longest, longest)
    elif address.kind == "mjpeg":
        # Single pictures have no time of their own; FFmpeg would make one up, 25 a second.
        options = {"use_wallclock_as_timestamps": "1"}
    return OpenPlan(
        url=address.url,
        shown=address.shown,
        kind=address.kind,
        format=_FORMATS.get(address.kind),
        options=options,
        protocols="http,https,crypto",
        timeout_s=waits,
        hwaccel=address.hwaccel,
        web=web_of(address, waits[1] * PATIENCE, login),
    )


def _check_host(address: LiveAddress) -> None:
    """Nothing, or an error when the address leads where it may not."""
    parts = urlsplit(address.url)
    try:
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        message = f"{address.shown}: the port is not a number; does a password stand in the url?"
        raise SourceUnreadable(message) from None
    listens = parts.scheme == "udp" or "listen" in dict(parse_qsl(parts.query))
    if host in (None, "0.0.0.0", "::") and listens:
        return
    if not host:
        message = f"{address.shown}: the address names no host"
        raise SourceUnreadable(message)
    address.allow.resolve(host, port, address.shown)


def _check_sdp(address: LiveAddress) -> None:
    try:
        text = address.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # told by whoever opens it
    for host in _SDP_HOST.findall(text):
        if host not in ("0.0.0.0", "::"):
            address.allow.resolve(host, 0, address.shown)


def _with_login(url: str, login: tuple[str, str] | None) -> str:
    parts = urlsplit(url)
    if login is None:
        return url
    user, password = (quote(part, safe="") for part in login)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{place}"))


def _with_query(url: str, address: LiveAddress) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "udp":
        wait_us = str(round(address.read_timeout_s * 1e6))
        query = {**UDP_QUERY, "timeout": wait_us, **query}
        if address.interface:
            query["localaddr"] = address.interface
    return urlunsplit(parts._replace(query=urlencode(query, safe=":")))


def _tls_options(address: LiveAddress) -> dict[str, str]:
    if not address.tls_verify:
        return {"tls_verify": "0"}
    trusted = address.ca_file or trusted_file()
    return {"tls_verify": "1", **({"ca_file": trusted} if trusted else {})}
