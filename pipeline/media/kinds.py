"""The kinds of source that there are, and which addresses each of them may have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pipeline.errors import SourceForbidden
from pipeline.redaction import redact

Kind = Literal["rtsp", "rtmp", "hls", "http", "mjpeg", "mpegts", "sdp", "device", "file", "folder"]
LOCAL_KINDS = frozenset({"sdp", "device", "file", "folder"})
SCHEMES: dict[str, tuple[Kind, ...]] = {
    "rtsp": ("rtsp",),
    "rtsps": ("rtsp",),
    "rtmp": ("rtmp",),
    "rtmps": ("rtmp",),
    "http": ("http", "hls", "mjpeg"),
    "https": ("http", "hls", "mjpeg"),
    "udp": ("mpegts",),
    "tcp": ("mpegts",),
    "file": ("file", "sdp", "device", "folder"),
}
"""Which kinds an address may be of, the usual one first; what has no scheme is on this machine."""
PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}

_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+):")


def kind_of(url: str) -> Kind:
    """What an address most probably is; SourceForbidden for a scheme that is not let in."""
    scheme = _SCHEME.match(url)
    if scheme is not None and not Path(url).exists():
        return _kind_of_scheme(url, scheme[1].lower())
    path = Path(url)
    if path.suffix.lower() == ".sdp":
        return "sdp"
    if url.startswith("/dev/"):
        return "device"
    return "folder" if path.is_dir() else "file"


def check_kind(kind: Kind, url: str) -> None:
    """Nothing, or SourceForbidden when an address of this scheme cannot be of this kind."""
    scheme = _SCHEME.match(url)
    if kind in LOCAL_KINDS and (scheme is None or Path(url).exists()):
        return
    if scheme is None:
        message = f"{redact(url)}: kind {kind} needs an address such as {kind}://host/..."
        raise SourceForbidden(message)
    _kind_of_scheme(url, scheme[1].lower())
    if kind not in SCHEMES[scheme[1].lower()]:
        able = ", ".join(SCHEMES[scheme[1].lower()])
        message = f"{redact(url)}: {scheme[1]} addresses are of kind {able}, not {kind}"
        raise SourceForbidden(message)


def _kind_of_scheme(url: str, scheme: str) -> Kind:
    if scheme in SCHEMES:
        path = urlsplit(url).path.lower()
        if scheme.startswith("http") and path.endswith((".m3u8", ".m3u")):
            return "hls"
        if scheme == "file" and path.endswith(".sdp"):
            return "sdp"
        return SCHEMES[scheme][0]
    advice = f"give one of {', '.join(SCHEMES)}, or a path"
    if scheme == "srt":
        advice = "bring it here with srt-live-transmit, as docs/sources.md shows"
    elif scheme == "rtp":
        advice = "describe it in an .sdp file, as docs/sources.md shows"
    message = f"{redact(url)}: {scheme} addresses are not opened; {advice}"
    raise SourceForbidden(message)
