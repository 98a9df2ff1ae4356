"""Labelled files of one's own: a folder for each class, or a CSV table.

A folder holds one folder for each label; above them may be `train`, `validation` and `test`. A
table has a header with `path` and `label`, and may have `start` and `end` in seconds, `split` and
`group` (what must not be torn apart: a speaker, a camera, a day). Kinetics' `time_start` and
`time_end` and ESC-50's `filename`, `category` and `src_file` are understood; other columns are
ignored, and a table without a header holds path, label, start, end in this order.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SOUNDS = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".wma")
)
CLIPS = frozenset(
    (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".gif")
)
PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))

_COLUMNS = {
    "path": ("path", "filename", "file", "file_name"),
    "label": ("label", "category", "class"),
    "start": ("start", "start_s", "time_start"),
    "end": ("end", "end_s", "time_end"),
    "split": ("split",),
    "group": ("group", "src_file"),
}
_SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval"), "test"),
}


class DatasetError(Exception):
    """Data cannot be learnt from or judged by; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled file, or the part of it from `start_s` to `end_s`.

    `split` is what the data itself says; `group` is empty where the content of the file decides.
    """

    path: Path
    label: str
    start_s: float = 0.0
    end_s: float | None = None
    split: Split | None = None
    group: str = ""

    @property
    def name(self) -> str:
        """Folder and file, and the part of it, as it is told to people."""
        part = "" if not self.start_s and self.end_s is None else f"#{self.start_s:g}"
        end = "" if self.end_s is None else f"-{self.end_s:g}"
        return f"{self.path.parent.name}/{self.path.name}{part}{end}"


def read_dataset(data: Path, endings: Collection[str], root: Path | None = None) -> list[Example]:
    """The examples of a folder or a CSV table, in a fixed order; no file is opened.

    `endings` are those of the files that are wanted; `root` is where the paths of a table start
    (its own folder by default). DatasetError when there are none, or a class is empty, or a row
    cannot be.
    """
    if data.is_dir():
        examples = list(_of_folder(data, frozenset(endings)))
    elif data.is_file() and data.suffix.lower() in {".csv", ".tsv"}:
        examples = list(_of_table(data, root or data.parent, frozenset(endings)))
    elif data.exists():
        message = f"{data}: data is a folder with a folder for each class, or a .csv table"
        raise DatasetError(message)
    else:
        message = f"{data}: no such folder or table"
        raise DatasetError(message)
    if not examples:
        message = f"{data}: no labelled file; wanted are {' '.join(sorted(endings))}"
        raise DatasetError(message)
    return examples


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _of_folder(data: Path, endings: frozenset[str]) -> Iterator[Example]:
    below = _folders(data)
    splits = [_SPLIT_NAMES.get(folder.name.lower()) for folder in below]
    if below and None not in splits:
        for folder, split in zip(below, splits, strict=True):
            for one in _folders(folder):
                yield from _of_class(one, endings, split)
        return
    loose = sorted(p.name for p in data.iterdir() if p.suffix.lower() in endings)
    if loose:
        message = f"{data}: {loose[0]} is in no class; put every file into the folder of its label"
        raise DatasetError(message)
    for one in below:
        yield from _of_class(one, endings, None)


def _of_class(folder: Path, endings: frozenset[str], split: Split | None) -> Iterator[Example]:
    paths = [p for p in folder.rglob("*") if p.suffix.lower() in endings and p.is_file()]
    shown = sorted(p for p in paths if not p.name.startswith("."))
    if not shown:
        message = (
            f"{folder}: the class is empty; add files ({' '.join(sorted(endings))}) or remove it"
        )
        raise DatasetError(message)
    for path in shown:
        yield Example(path, folder.name, split=split)


def _of_table(table: Path, root: Path, endings: frozenset[str]) -> Iterator[Example]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{table}: not a table that can be read ({error})"
        raise DatasetError(message) from error
    delimiter = "\t" if table.suffix.lower() == ".tsv" else ","
    rows = [
        (number, row)
        for number, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        message = f"{table}: the table is empty"
        raise DatasetError(message)
    columns = _columns(table, rows[0][1], endings)
    for number, row in rows[1:] if columns.pop("header", 0) else rows:
        yield _row(f"{table}:{number}", row, columns, root)


def _columns(table: Path, header: Sequence[str], endings: frozenset[str]) -> dict[str, int]:
    """Where each column is; `header` is 1 when the first row names them."""
    names = [name.strip().lower() for name in header]
    found = {
        column: names.index(known)
        for column, aliases in _COLUMNS.items()
        for known in aliases[::-1]
        if known in names
    }
    if {"path", "label"} <= found.keys():
        return {**found, "header": 1}
    if len(header) >= 2 and Path(header[0].strip()).suffix.lower() in endings:
        return {name: at for at, name in enumerate(("path", "label", "start", "end"))}
    message = f"{table}:1: the header names no `path` and `label`, it has {', '.join(header)}"
    raise DatasetError(message)


def _row(place: str, row: Sequence[str], columns: dict[str, int], root: Path) -> Example:
    cells = {name: row[at].strip() for name, at in columns.items() if at < len(row)}
    if not cells.get("path") or not cells.get("label"):
        message = f"{place}: a row needs a path and a label, this one is {','.join(row)}"
        raise DatasetError(message)
    start, end = (_seconds(place, name, cells.get(name, "")) for name in ("start", "end"))
    if end is not None and end <= (start or 0):
        message = f"{place}: the end at {end:g} s is not after the start at {start or 0:g} s"
        raise DatasetError(message)
    said = cells.get("split", "").lower()
    if said and said not in _SPLIT_NAMES:
        message = f"{place}: a split is train, validation or test, not {said!r}"
        raise DatasetError(message)
    path = root / cells["path"]
    split = _SPLIT_NAMES.get(said)
    return Example(path, cells["label"], start or 0.0, end, split, cells.get("group", ""))


def _seconds(place: str, name: str, cell: str) -> float | None:
    """The number in a cell; None when it is empty."""
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        message = f"{place}: {name} is a number of seconds from 0, not {cell!r}"
        raise DatasetError(message)
    return number
