"""What FFmpeg reads of the web: a stream as one long file, a playlist's parts each as a whole."""

from __future__ import annotations

import http.client
import io
import re
import time
from collections.abc import Callable, Mapping

from pipeline.errors import SourceAbsent, SourceError, SourceForbidden, SourceLost, SourceUnreadable
from pipeline.media.web import WebClient, cannot_reach
from pipeline.redaction import redact

PartOpener = Callable[[str, int, Mapping[str, str]], io.BytesIO]
"""What FFmpeg asks for an address that a medium names: its url, flags and options."""
MAX_PART_BYTES = 256 * 2**20
ASK_AGAIN_S = 0.5
_ENCRYPTED = "crypto+"
_NUMBER = re.compile(rb"#EXT-X-MEDIA-SEQUENCE:\s*(\d+)")
_MULTIPART = "multipart/x-mixed-replace"
_PLAYLISTS = frozenset({"application/vnd.apple.mpegurl", "application/x-mpegurl"})


class WebFile:
    """A body of HTTP as a file that FFmpeg can read, and seek in where the server lets it."""

    def __init__(self, client: WebClient, url: str) -> None:
        self.name = redact(url)
        self._client, self._url = client, url
        self._answer = client.get(url)
        self._at = 0
        length = self._answer.headers.get("Content-Length", "")
        ranges = self._answer.headers.get("Accept-Ranges", "").lower() == "bytes"
        self._size = int(length) if length.isdigit() and ranges else None

    @property
    def format(self) -> str | None:
        """FFmpeg's name of what the server says that this is, where it cannot see it itself."""
        kind = self._answer.headers.get_content_type().lower()
        if kind in _PLAYLISTS:
            message = f"{self.name} is a playlist; say `kind: hls` for this stream"
            raise SourceUnreadable(message)
        return "mpjpeg" if kind == _MULTIPART else None

    def read(self, count: int) -> bytes:
        """The next bytes, as soon as there are some; none at the end."""
        try:
            data = self._answer.read1(count)
        except (OSError, http.client.HTTPException) as error:
            message = str(cannot_reach(self.name, error))
            raise SourceLost(message) from None
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        """Whether the server gives out parts of a body of known length."""
        return self._size is not None

    def seek(self, offset: int, whence: int = 0) -> int:
        """The place that was gone to; the bytes from there are asked for anew."""
        size = self._size or 0
        place = offset + (0, self._at, size)[whence]
        if place == self._at:
            return place
        self._answer.close()
        self._at = place
        if place >= size:
            return place
        self._answer = self._client.get(self._url, place)
        if self._answer.status != http.client.PARTIAL_CONTENT:
            message = f"{self.name}: the server promised parts of the file, and gave it whole"
            raise SourceUnreadable(message)
        return place

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def close(self) -> None:
        """Closes the connection."""
        self._answer.close()


class Playlist:
    """Answers FFmpeg's wish for a part of a playlist: the list itself, keys, segments.

    Each is fetched whole, so that a connection that breaks off costs no segment, and is asked for
    again for `patience_s` once the stream plays. A segment that does not come even then is left
    out; without its list a stream ends. It also ends when a list's numbers begin anew, as after a
    careless encoder's restart: FFmpeg would wait until the old number is reached again.
    """

    def __init__(self, client: WebClient, patience_s: float) -> None:
        self.left_out = 0
        self._client, self._patience_s = client, patience_s
        self._lists: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._plays = False

    def open(self, url: str, flags: int, options: Mapping[str, str]) -> io.BytesIO:
        """The part as a file; SourceError when it cannot be had."""
        if url.startswith(_ENCRYPTED):
            whole = {name: value for name, value in options.items() if name not in ("key", "iv")}
            sealed = self.open(url.removeprefix(_ENCRYPTED), flags, whole)
            return io.BytesIO(_decrypted(sealed.getvalue(), options))
        first, end = int(options.get("offset", 0)), options.get("end_offset")
        try:
            body = self._patient(url, first, int(end) if end else None)
        except SourceForbidden:
            raise
        except SourceError:
            if not self._plays or url in self._lists:
                raise
            self.left_out += 1
            return io.BytesIO()
        if body.startswith(b"#EXTM3U"):
            self._lists.add(url)
            self._check_numbers(url, body)
        else:
            self._plays = True
        return io.BytesIO(body)

    def _check_numbers(self, url: str, body: bytes) -> None:
        told = _NUMBER.search(body)
        number = int(told[1]) if told else 0
        if number < self._numbers.get(url, 0):
            message = f"{redact(url)}: the playlist begins anew"
            raise SourceLost(message)
        self._numbers[url] = number

    def _patient(self, url: str, first: int, end: int | None) -> bytes:
        until = time.monotonic() + (self._patience_s if self._plays else 0.0)
        while True:
            try:
                return self._fetch(url, first, end)
            except SourceForbidden:
                raise
            except SourceError:
                if time.monotonic() + ASK_AGAIN_S > until:
                    raise
            time.sleep(ASK_AGAIN_S)

    def _fetch(self, url: str, first: int, end: int | None) -> bytes:
        with self._client.get(url, first, end) as answer:
            try:
                body = answer.read(MAX_PART_BYTES + 1)
                short = answer.length or 0
            except (OSError, http.client.HTTPException) as error:
                raise cannot_reach(redact(url), error) from None
        if len(body) > MAX_PART_BYTES:
            message = f"{redact(url)}: a part of a playlist above {MAX_PART_BYTES} bytes"
            raise SourceForbidden(message)
        if short:
            message = f"{redact(url)}: broke off {short} bytes before its end"
            raise SourceAbsent(message)
        return body


def refuse_parts(url: str, _flags: int, _options: Mapping[str, str]) -> io.BytesIO:
    """Nothing: a body of one file may not name others."""
    message = f"it names another address ({redact(url)}), and that is for kind hls alone"
    raise SourceForbidden(message)


def _decrypted(body: bytes, options: Mapping[str, str]) -> bytes:
    """AES-128 in CBC mode with the padding of PKCS #7, as RFC 8216 has it."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    key, iv = bytes.fromhex(options["key"]), bytes.fromhex(options["iv"])
    opened, bare = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor(), PKCS7(128).unpadder()
    try:
        return bare.update(opened.update(body) + opened.finalize()) + bare.finalize()
    except ValueError:
        # Cut off or of another key: FFmpeg finds no packets in it and goes on to the next.
        return b""
