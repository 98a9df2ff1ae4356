"""What a video is called in results, and the day it belongs to: both read from its path."""

from __future__ import annotations

import re
from datetime import date
from hashlib import sha256

LONGEST = 150
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
"""What a name may be that somebody else gives."""
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_./]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?=\D|$|\d{4}(?!\d)|\d{6}(?!\d))"
)


def source_name(path: str) -> str:
    """A video's name in results for its path below the root: different for different paths.

    Letters, digits, `-`, `_` and `.` alone; folders are parted by `__`. Where a character had to
    be replaced, or another path could have the same name, six digits of a hash follow.
    """
    plain = path.replace("/", "__")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).lstrip(".-")[-LONGEST:].lstrip(".-") or "video"
    ambiguous = "__" in path or "_/" in path or "/_" in path
    if safe == plain and not ambiguous and not re.search(r"-[0-9a-f]{6}(\.[^.]*)?$", safe):
        return safe
    return with_hash(safe, path)


def with_hash(name: str, of: str) -> str:
    """The name with six digits of a text's hash before its ending."""
    digits = sha256(of.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{digits}.{ending}" if dot else f"{name}-{digits}"


def day_in(path: str) -> str | None:
    """The last date in a path: 2026-11-01, 20261101, 2026/11/01, 20261101T1200; None if none."""
    for year, _, month, day in reversed(_DATE.findall(path)):
        try:
            return date(int(year), int(month), int(day)).isoformat()
        except ValueError:
            continue
    return None
