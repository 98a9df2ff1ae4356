"""The files of a folder, or those that a pattern names, in a stable order and as they are found."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

ENDINGS = frozenset(
    f".{ending}"
    for line in (
        "3gp asf avi dv f4v flv h264 h265 hevc ivf m2ts m2v m4v mj2 mkv mov mp4 mpeg mpg mts mxf",
        "nut ogv ts vob webm wmv aac ac3 aif aiff flac m4a mka mp2 mp3 oga ogg opus wav wma",
    )
    for ending in line.split()
)
"""How a file has to end to be taken out of a folder; one that is named may be called anything."""
_UNFINISHED = re.compile(r"\.(part|partial|tmp|temp|incomplete)\.[^.]+$", re.IGNORECASE)
_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob in two parts: `base` holds no wildcard, `rest` is matched below it."""

    base: str
    rest: str

    @classmethod
    def of(cls, glob: str) -> Pattern:
        """The parts of a path with wildcards in it."""
        parts = glob.split("/")
        first = next(number for number, part in enumerate(parts) if _WILD.search(part))
        return cls("/".join(parts[:first]) or ("/" if first else "."), "/".join(parts[first:]))

    @property
    def depth(self) -> int | None:
        """How many folders down a match can lie at most; None for any number."""
        return None if "**" in self.rest else self.rest.count("/")

    def matcher(self) -> Callable[[str], bool]:
        """Whether a path below the base is meant, by its name and ending."""
        from fsspec.utils import glob_translate

        matches = re.compile(glob_translate(self.rest)).match
        named = _WILD.search(PurePosixPath(self.rest).suffix) is None and "." in self.rest
        return lambda path: bool(matches(path)) and (named or is_medium(path))


def is_wild(address: str) -> bool:
    """True for an address with `*`, `?` or `[` in it."""
    return _WILD.search(address) is not None


def is_medium(path: str) -> bool:
    """Whether the name says that this is a video or a sound, and that it is finished."""
    name = path.rpartition("/")[2]
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    return ending in ENDINGS and not name.startswith(".") and not _UNFINISHED.search(name)


def files_below(
    folder: str, matches: Callable[[str], bool], depth: int | None = None
) -> Iterator[tuple[str, str]]:
    """The paths below the folder of the files that match, and what was wrong with each, or "".

    By name within each folder, whose names alone are held. Hidden files and folders are left out,
    and links that lead back up. A folder that cannot be read comes with the reason.
    """
    yield from _below(folder, "", matches, depth, ())


def _below(
    folder: str,
    above: str,
    matches: Callable[[str], bool],
    depth: int | None,
    up: tuple[tuple[int, int], ...],
) -> Iterator[tuple[str, str]]:
    here = os.path.join(folder, above)  # noqa: PTH118 - twice as fast, and there may be many
    try:
        status = os.stat(here)  # noqa: PTH116
        place = (status.st_dev, status.st_ino)
        if place in up:
            return
        with os.scandir(here) as entries:
            found = sorted(
                (entry.name, _is_folder(entry))
                for entry in entries
                if not entry.name.startswith(".")
            )
    except OSError as error:
        yield above.rstrip("/"), f"the folder cannot be read: {error.strerror or error}"
        return
    for name, is_folder in found:
        if is_folder:
            if depth is None or above.count("/") < depth:
                yield from _below(folder, f"{above}{name}/", matches, depth, (*up, place))
        elif matches(above + name):
            yield above + name, ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
