"""VIDEOS of the command line -> every video of them, one by one, however many there are."""

from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain, islice
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.batch.lists import Listed, check_list, is_list, listed_in
from pipeline.batch.naming import day_in, source_name, with_hash
from pipeline.batch.seen import Seen
from pipeline.batch.walk import ENDINGS, Pattern, files_below, is_medium, is_wild
from pipeline.errors import ConfigError, SourceError
from pipeline.media.address import typed_plan
from pipeline.media.bucket import Found, found, is_bucket, listed, path_of
from pipeline.media.web import WebClient
from pipeline.redaction import redact

MISSING, UNVERSIONED, UNKNOWN_DAY = "missing", "unversioned", "unknown"
HTTP_TIMEOUT_S = 10.0
ASKED_AT_ONCE = 16
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+)://")


@dataclass(frozen=True, slots=True)
class Input:
    """A video to be analysed.

    `source` is its name in the results, `address` what opens it, `version` changes when its
    content does ("missing" when it cannot be had, and `trouble` says why), `day` is YYYY-MM-DD or
    "unknown".
    """

    source: str
    address: str
    version: str
    size_bytes: int
    day: str
    trouble: str = ""


def find_inputs(what: Sequence[str], *, root: str | None = None) -> Iterator[Input]:
    """Every video of files, folders, globs, lists, manifests, buckets and addresses, each once.

    They come in a stable order and as they are found; memory does not grow with their number, but
    for 16 bytes each where one could be named twice. A video's name is its path below
    `root`; without one, below the folder (glob, bucket) that alone makes up `what`, or else below
    the current folder. Lists call theirs by the addresses as they are written there.

    Raises ConfigError, before the first one, when something is not there, when a list is wrong,
    and when there is no video at all. Later nothing is raised: what cannot be had comes as missing.
    """
    finders = [_finder(item, root, alone=len(what) == 1) for item in what]
    inputs: Iterator[Input] = chain.from_iterable(find() for find in finders)
    if len(what) > 1 or any(is_list(item) for item in what):
        inputs = _once(inputs)
    first = next(inputs, None)
    if first is None:
        looked = ", ".join(redact(item) for item in what) or "nothing"
        message = (
            f"{looked}: no video or sound is there; what lies in folders is taken by its ending"
            f" (.mp4, .mkv, .ts, .wav and {len(ENDINGS) - 4} more)"
        )
        raise ConfigError(message)
    return chain((first,), inputs)


Finder = Callable[[], Iterator[Input]]


def _finder(item: str, root: str | None, *, alone: bool) -> Finder:
    """What finds the videos of one word of the command line; ConfigError when it is nothing."""
    if is_list(item):
        check_list(item)
        return lambda: _of_list(item.removeprefix("@"), root)
    if is_bucket(item):
        return _bucket_finder(item, root, alone=alone)
    scheme = _SCHEME.match(item)
    if scheme is not None and scheme[1].lower() in ("http", "https"):
        return lambda: iter((_of_web(item),))
    if scheme is not None and scheme[1].lower() != "file":
        message = (
            f"{redact(item)}: {scheme[1]} is no address of a file; `witness run` takes streams"
        )
        raise ConfigError(message)
    path = os.path.normpath(_bare(item))
    if is_wild(path) and not Path(path).exists():
        pattern = Pattern.of(path)
        return lambda: _of_folder(pattern.base, root, alone, pattern)
    if Path(path).is_dir():
        return lambda: _of_folder(path, root, alone)
    if not Path(path).exists():
        message = f"{redact(item)}: no such file or folder; check the path"
        raise ConfigError(message)
    return lambda: iter((_of_file(os.path.abspath(path), _below(path, root)),))  # noqa: PTH100


def _bucket_finder(item: str, root: str | None, *, alone: bool) -> Finder:
    inputs = _of_bucket(item, root, alone=alone)
    try:
        first = list(islice(inputs, 1))
    except SourceError as error:
        raise ConfigError(str(error)) from None
    return lambda: chain(first, inputs)


def _of_folder(
    folder: str, root: str | None, alone: bool, pattern: Pattern | None = None
) -> Iterator[Input]:
    here = os.path.abspath(folder)  # noqa: PTH100
    base = "" if alone and root is None else _below(here, root)
    matches, depth = (pattern.matcher(), pattern.depth) if pattern else (is_medium, None)
    for path, trouble in files_below(here, matches, depth):
        name = f"{base}/{path}" if base else path
        address = f"{here.rstrip('/')}/{path}"
        yield _missing(address, name or folder, trouble) if trouble else _of_file(address, name)


def _of_file(address: str, name: str) -> Input:
    """The file as it is now; missing when it is gone, or is no file any more."""
    try:
        status = os.stat(address)  # noqa: PTH116 - a Path for each would double the time
    except OSError as error:
        return _missing(address, name, f"{address}: {error.strerror or error}")
    if not stat.S_ISREG(status.st_mode):
        return _missing(address, name, f"{address} is not a regular file")
    day = day_in(name) or datetime.fromtimestamp(status.st_mtime, UTC).date().isoformat()
    version = f"{status.st_size}-{status.st_mtime_ns}"
    return Input(source_name(name), address, version, status.st_size, day)


def _of_bucket(address: str, root: str | None, *, alone: bool) -> Iterator[Input]:
    """What a bucket's address names: one file, those that match, or all media below it."""
    pattern = Pattern.of(address) if is_wild(address) else None
    base = pattern.base if pattern else address.rstrip("/")
    above = f"{path_of(base)}/"
    shown = _bucket_root(above, root, alone)
    matches = pattern.matcher() if pattern else is_medium
    began = False
    try:
        one = None if pattern else found(address)
        for file in (one,) if one else listed(base):
            below = file.path.removeprefix(above)
            hidden = any(part.startswith(".") for part in below.split("/"))
            if one or (matches(below) and not hidden):
                began = True
                yield _in_bucket(file, file.path.removeprefix(shown))
    except SourceError as error:
        if not began:
            raise
        yield _missing(address, path_of(address), str(error))


def _bucket_root(above: str, root: str | None, alone: bool) -> str:
    if root is not None:
        return f"{path_of(root)}/" if is_bucket(root) else ""
    return above if alone else ""


def _in_bucket(file: Found, name: str) -> Input:
    name = name.strip("/")
    day = day_in(name) or file.day or UNKNOWN_DAY
    return Input(source_name(name), file.address, file.version, file.size_bytes, day)


def _of_web(address: str) -> Input:
    """One file of the web, as far as its server tells of it."""
    parts = urlsplit(address)
    bare = parts._replace(scheme="", netloc=parts.netloc.rpartition("@")[2])
    name = redact(bare.geturl()).strip("/")
    try:
        plan = typed_plan(address, HTTP_TIMEOUT_S)
        assert plan.web is not None
        with WebClient(plan.url, plan.web).get(plan.url) as answer:
            told = answer.headers
    except SourceError as error:
        return _missing(address, name, str(error))
    size = told.get("Content-Length", "")
    known = [told[key].strip('"') for key in ("ETag", "Last-Modified") if told.get(key)]
    version = "-".join([size, *known]) if known or size.isdigit() else UNVERSIONED
    day = day_in(parts.path) or _day_of_header(told.get("Last-Modified")) or UNKNOWN_DAY
    size_bytes = int(size) if size.isdigit() else 0
    return Input(source_name(name), address, version, size_bytes, day)


def _day_of_header(changed: str | None) -> str | None:
    try:
        return parsedate_to_datetime(changed or "").astimezone(UTC).date().isoformat()
    except ValueError:
        return None


def _of_list(address: str, root: str | None) -> Iterator[Input]:
    """The videos of a list in its order; some are asked about ahead, since buckets are far away."""
    waiting: deque[Future[Input]] = deque()
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        for line in listed_in(address):
            waiting.append(pool.submit(_of_line, line, root))
            if len(waiting) > ASKED_AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _of_line(line: Listed, root: str | None) -> Input:
    made = _as_written(line, root)
    return replace(made, source=line.source or made.source, day=line.day or made.day)


def _as_written(line: Listed, root: str | None) -> Input:
    scheme = _SCHEME.match(line.address)
    if is_bucket(line.address):
        return _listed_in_bucket(line, root)
    if scheme is not None and scheme[1].lower() in ("http", "https"):
        return _of_web(line.address)
    if scheme is not None and scheme[1].lower() != "file":
        trouble = f"{redact(line.address)}: {scheme[1]} is no address of a file"
        return _missing(line.address, redact(line.written), trouble)
    path = os.path.normpath(_bare(line.address))
    written = os.path.normpath(_bare(line.written))
    if root is not None or written.startswith(".."):
        written = _below(path, root)
    return _of_file(path, written.lstrip("/"))


def _listed_in_bucket(line: Listed, root: str | None) -> Input:
    path = path_of(line.address)
    name = line.written if line.written != line.address else path.strip("/")
    if root is not None:
        name = path.removeprefix(_bucket_root("", root, alone=False)).strip("/")
    try:
        file = found(line.address)
    except SourceError as error:
        return _missing(line.address, name, str(error))
    if file is None:
        return _missing(line.address, name, f"{redact(line.address)}: nothing is there")
    return _in_bucket(file, name)


def _missing(address: str, name: str, trouble: str) -> Input:
    day = day_in(name) or UNKNOWN_DAY
    return Input(source_name(name), address, MISSING, 0, day, redact(trouble))


def _bare(address: str) -> str:
    return re.sub(r"^file:(//)?", "", address)


def _below(path: str, root: str | None) -> str:
    """The path from the root (or the current folder) on; whole where it lies elsewhere."""
    whole = os.path.abspath(path)  # noqa: PTH100 - `..` is resolved without asking the disk
    base = os.path.abspath(root or ".").rstrip("/")  # noqa: PTH100
    if whole == base:
        return ""
    return whole.removeprefix(f"{base}/").lstrip("/")


def _once(inputs: Iterable[Input]) -> Iterator[Input]:
    """Each address once, and each name for one address."""
    seen = Seen()
    for one in inputs:
        if not seen.add(f"address {one.address}"):
            continue
        name = one.source
        if not seen.add(f"name {name}"):
            name = with_hash(name, redact(one.address))
        yield replace(one, source=name)
