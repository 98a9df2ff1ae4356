"""`witness label`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from pipeline.commands.recipes import SourceFrames, finish
from pipeline.whole import whole_file

SHEET_FRAMES = 12
SHEET_WIDTH_PX = 640
STAGES = (
    "counting frames",
    "the scene without people",
    "what moves",
    "people",
    "contact sheet",
)


def label_command(source: str, out: Path, until_s: float | None) -> int:
    """0, or 2 for bad usage, or 3 for a source that cannot be labelled; 130 after Ctrl-C."""
    console = Console()
    return finish(console, lambda: _label(console, source, out, until_s))


class Stages:
    """A bar for each pass over the frames: an index that falls back begins the next pass."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._titles = iter(STAGES)
        self._task: TaskID | None = None
        self._last = 0
        self._frames: int | None = None

    def at(self, index: int) -> None:
        """Moves the bar of the pass that is under way."""
        if self._task is None or index < self._last:
            if self._task is not None:
                self._frames = max(self._frames or 0, self._last + 1)
                self._progress.update(self._task, total=self._frames, completed=self._frames)
            title = next(self._titles, "again")
            self._task = self._progress.add_task(title, total=self._frames)
        self._last = index
        self._progress.update(self._task, completed=index + 1)


def _label(console: Console, source: str, out: Path, until_s: float | None) -> None:
    from models.training.label import contact_sheet, label_scene, sure

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        stages = Stages(progress)
        read = SourceFrames(source, until_s, stages.at)
        coco = label_scene(read, on_frame=stages.at)
        sheet = contact_sheet(_chosen(read, coco), coco)
    with whole_file(out / "labels.json") as part:
        part.write_text(json.dumps(coco) + "\n", encoding="utf-8")
    with whole_file(out / "contact_sheet.jpg") as part:
        part.write_bytes(_jpeg(sheet))
    people = sure(coco)["annotations"]
    tracks = {annotation["track_id"] for annotation in people}
    doubted = len(coco["annotations"]) - len(people)
    console.print(
        f"{len(people)} outlines of people on {len(coco['images'])} frames, "
        f"in {len(tracks)} tracks: {escape(str(out / 'labels.json'))}",
        soft_wrap=True,
        highlight=False,
    )
    if doubted:
        console.print(
            f"{doubted} more go nowhere and may be things that were moved: marked `iscrowd`, so "
            "they are neither learnt from nor counted",
            soft_wrap=True,
            highlight=False,
        )
    console.print(
        f"look at {escape(str(out / 'contact_sheet.jpg'))} before you train on them",
        soft_wrap=True,
        highlight=False,
    )


def _chosen(read: SourceFrames, coco: dict[str, Any]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frames spread evenly over the stream."""
    indices = [image["id"] for image in coco["images"]]
    spread = np.linspace(0, len(indices) - 1, min(SHEET_FRAMES, len(indices))).round().astype(int)
    wanted = {indices[place] for place in spread}
    for index, frame in read():
        if index in wanted:
            yield index, frame


def _jpeg(sheet: NDArray[np.uint8]) -> bytes:
    height, width = sheet.shape[:2]
    scale = min(1.0, 3 * SHEET_WIDTH_PX / width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return coded.tobytes()
