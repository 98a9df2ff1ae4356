"""Buckets of object stores (s3://, gs://, ...) through fsspec: what is there, and files in them.

Who may read them and where they are is told by the environment, as the stores' own tools have it:
AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on.
"""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import (
    ConfigError,
    SourceAbsent,
    SourceError,
    SourceLost,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from pipeline.redaction import redact

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LIBRARIES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "memory": "fsspec",
}
"""The schemes of buckets, and the library that opens each; `memory` is of this process alone."""
BLOCK_BYTES, MOST_AT_ONCE, BLOCKS_KEPT = 2**18, 16, 64
"""A header costs one block; who reads on is given twice as many each time, up to 4 MiB. So many
stay, since pictures and sound may lie far apart."""
CONNECT_S, READ_S, LISTED_AT_ONCE = 10, 30, 1000
_SCHEME = re.compile(r"^([a-z0-9]+)://")
_VERSIONS = ("ETag", "etag", "checksum", "md5Hash", "content_md5")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "created", "modified")


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a bucket: its whole address, size, and what changes when it does.

    `path` is the address without its scheme; `day` is the date of its last change in UTC, or "".
    """

    address: str
    path: str
    size_bytes: int
    version: str
    day: str


def is_bucket(address: str) -> bool:
    """True for an address such as `s3://...` that fsspec is to open."""
    scheme = _SCHEME.match(address)
    return scheme is not None and scheme[1] in LIBRARIES


def scheme_of(address: str) -> str:
    """`s3` of `s3://bucket/key`."""
    return address.partition("://")[0]


def file_system(address: str) -> AbstractFileSystem:
    """What opens the address, the same one each time; ConfigError when its library is missing.

    It is asked for anew wherever it is used: it may not travel into a process that was forked.
    """
    import fsspec

    scheme = scheme_of(address)
    options: dict[str, Any] = {"use_listings_cache": False}
    if LIBRARIES[scheme] == "s3fs":
        options["config_kwargs"] = {"connect_timeout": CONNECT_S, "read_timeout": READ_S}
    try:
        found: AbstractFileSystem = fsspec.filesystem(scheme, **options)
    except ImportError:
        message = (
            f"{redact(address)}: reading {scheme}:// needs {LIBRARIES[scheme]}: pip install it"
        )
        raise ConfigError(message) from None
    return found


def path_of(address: str) -> str:
    """The address without its scheme, as its file system wants it."""
    return str(file_system(address)._strip_protocol(address))


def found(address: str) -> Found | None:
    """The one file that has this address; None when there is none, or a folder. SourceError."""
    system = file_system(address)
    try:
        info = system.info(path_of(address))
    except FileNotFoundError:
        return None
    except Exception as error:
        raise source_error(address, error) from None
    return None if info["type"] == "directory" else _found(address, info)


def listed(address: str) -> Iterator[Found]:
    """Every file below an address, by name where the store lists so, a page at a time for S3.

    Nothing when nothing is there. Raises SourceError, SourceMissing for a bucket that is not.
    """
    system, path = file_system(address), path_of(address).rstrip("/")
    try:
        if LIBRARIES[scheme_of(address)] == "s3fs":
            for info in _pages(system, path):
                yield _found(address, info)
        else:
            infos = system.find(path, detail=True)
            for name in sorted(infos):
                yield _found(address, infos[name])
    except FileNotFoundError:
        message = f"{redact(address)}: there is no such bucket; make it, or correct its name"
        raise SourceMissing(message) from None
    except Exception as error:
        raise source_error(address, error) from None


def _pages(system: AbstractFileSystem, path: str) -> Iterator[dict[str, Any]]:
    """What `find` would tell, without a list of a hundred thousand files in memory."""
    bucket, _, key = path.partition("/")
    asked = {"Bucket": bucket, "Prefix": f"{key}/" if key else "", "MaxKeys": LISTED_AT_ONCE}
    while True:
        page = system.call_s3("list_objects_v2", **asked)
        for entry in page.get("Contents", ()):
            if not entry["Key"].endswith("/"):  # what some tools leave for an empty folder
                yield {**entry, "name": f"{bucket}/{entry['Key']}", "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _found(address: str, info: dict[str, Any]) -> Found:
    path, size = str(info["name"]), int(info.get("size") or 0)
    told = next((str(info[key]).strip('"') for key in _VERSIONS if info.get(key)), None)
    changed = next((info[key] for key in _TIMES if info.get(key)), None)
    return Found(
        address=f"{scheme_of(address)}://{path.lstrip('/')}",
        path=path,
        size_bytes=size,
        version=f"{size}-{told or changed or 'unversioned'}",
        day=str(changed)[:10] if changed is not None and str(changed)[4:5] == "-" else "",
    )


class BucketFile(io.RawIOBase):
    """A file of a bucket that PyAV can read and seek in, by blocks that are fetched when wanted.

    Raises SourceMissing and SourceUnreadable, and SourceLost when reading breaks off.
    """

    def __init__(self, address: str) -> None:
        self.name = redact(address)
        self.fetched_bytes = 0
        self._address, self._at, self._run = address, 0, 1
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        try:
            self._system, self._path = file_system(address), path_of(address)
            info = self._system.info(self._path)
        except Exception as error:
            raise source_error(address, error) from None
        if info["type"] == "directory":
            message = f"{self.name} is a folder; name a file in it (witness batch takes folders)"
            raise SourceMissing(message)
        self._size = int(info["size"])

    def readinto(self, buffer: Any) -> int:
        """How many of the next bytes were put there; 0 at the end."""
        number, within = divmod(self._at, BLOCK_BYTES)
        if self._at >= self._size:
            return 0
        part = self._block(number)[within : within + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """The place that was gone to; nothing is fetched."""
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """The place of the next byte."""
        return self._at

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            reads_on = number - 1 in self._blocks
            self._run = min(2 * self._run, MOST_AT_ONCE) if reads_on else 1
            self._fetch(number)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, number: int) -> None:
        first = number * BLOCK_BYTES
        end = min(first + self._run * BLOCK_BYTES, self._size)
        try:
            data = self._system.cat_file(self._path, start=first, end=end)
        except Exception as error:
            message = f"{self.name}: broke off while it was read ({trouble(error)})"
            raise SourceLost(message) from None
        if len(data) != end - first:
            message = f"{self.name}: broke off: it became shorter while it was read"
            raise SourceLost(message)
        self.fetched_bytes += len(data)
        for place in range(0, len(data), BLOCK_BYTES):
            self._blocks[number + place // BLOCK_BYTES] = data[place : place + BLOCK_BYTES]
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)


def source_error(address: str, error: Exception) -> SourceError:
    """What went wrong in a bucket, for somebody who wants to read from it."""
    shown = redact(address)
    if isinstance(error, SourceError):
        return error
    if isinstance(error, ConfigError):
        return SourceUnreadable(str(error))
    if isinstance(error, FileNotFoundError | IsADirectoryError):
        return SourceMissing(f"{shown}: nothing is there; check the bucket's name and the path")
    what = trouble(error)
    if isinstance(error, PermissionError):
        return SourceRefused(f"{shown}: {what}")
    if isinstance(error, ConnectionError | TimeoutError):
        return SourceAbsent(f"{shown}: {what}")
    return SourceUnreadable(f"{shown}: {what}")


def trouble(error: Exception) -> str:
    """What went wrong with an object store, in words and with what to do; without addresses."""
    kind = type(error).__name__
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
        return "no key for it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, say"
    if isinstance(error, PermissionError):
        return "access denied; check the key and what it may do there"
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket; make it, or correct its name"
    if "Connect" in kind or "Timeout" in kind or isinstance(error, ConnectionError | TimeoutError):
        return f"no connection ({kind}); is AWS_ENDPOINT_URL right, is the store up?"
    return f"the store refuses ({redact(str(error)) or kind})"
