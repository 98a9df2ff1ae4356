"""What a person sees in the terminal while a job runs, and the summary at its end."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from pipeline.records import Digest, StreamInfo
from pipeline.run.job import StreamResult

COLOURS = {"action": "cyan", "instances": "green", "sound": "magenta"}


class ConsoleWatcher:
    """A progress bar a stream, and a line for each event when it is found.

    Instances would be a line a frame: a track is told once, when it begins.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self.console = console
        self._quiet = quiet
        self._tracks: set[tuple[str, str, int]] = set()
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[at]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=quiet,
        )

    def __enter__(self) -> ConsoleWatcher:
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def opened(self, info: StreamInfo, idle: Sequence[str]) -> None:
        """Starts the stream's bar, and says once which lanes have nothing to do."""
        total = float(info.duration_from_header) if info.duration_from_header else None
        self._tasks[info.stream] = self._progress.add_task(
            escape(info.stream), total=total, at="0.0 s"
        )
        for lane in idle:
            medium = "sound" if info.audio is None else "pictures"
            self._say(f"{escape(info.stream)}: no {medium}, so lane {lane} stays idle")

    def reached(self, stream: str, position: Fraction) -> None:
        """Moves the stream's bar."""
        at = float(position)
        self._progress.update(self._tasks[stream], completed=at, at=f"{at:.1f} s")

    def found(self, digests: Sequence[Digest]) -> None:
        """Tells the events that a person would want to hear of."""
        for digest in digests:
            if digest.track_id is not None:
                key = (digest.stream, digest.lane, digest.track_id)
                if key in self._tracks:
                    continue
                self._tracks.add(key)
                what = f"{digest.label} #{digest.track_id} appears"
                when = f"{float(digest.span.start):7.2f} s        "
            elif digest.lane == "instances":
                continue
            else:
                what = f"{digest.label} ({digest.score:.2f})"
                when = f"{float(digest.span.start):7.2f}-{float(digest.span.end):.2f} s"
            colour = COLOURS.get(digest.lane, "white")
            self._say(f"{when:<17} [{colour}]{digest.lane:<9}[/] {escape(what)}")

    def drawing(self, stream: str, what: str, total: float) -> TaskID:
        """A bar for a picture being drawn."""
        return self._progress.add_task(f"{escape(stream)}: {what}", total=total, at="")

    def drew(self, task: TaskID, position: Fraction) -> None:
        """Moves such a bar."""
        self._progress.update(task, completed=float(position))

    def closed(self, result: StreamResult) -> None:
        """Says at once when a source failed; fills the bar of one that was read to its end."""
        if result.error is not None:
            self.console.print(f"[red]error[/] {escape(result.error)}", soft_wrap=True)
        task = self._tasks.get(result.source.stream)
        if task is None:
            return
        if result.summary is not None and result.summary["complete"]:
            # What was read is all there is, whatever the header claimed.
            length = result.summary["media_s"]
            self._progress.update(task, total=length, completed=length, at=f"{length:.1f} s")
        self._progress.stop_task(task)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._progress.console.print(text, highlight=False, soft_wrap=True)


def print_summary(console: Console, results: Sequence[StreamResult]) -> None:
    """What was seen and heard, how fast, and where the results lie."""
    table = Table(title="What was seen and heard", title_justify="left", show_lines=True)
    for column in ("stream", "seen and heard", "media", "speed", "results"):
        table.add_column(column, overflow="fold")
    for result in results:
        summary = result.summary
        if summary is None:
            table.add_row(escape(result.source.stream), "[red]failed[/]", "", "", "")
            continue
        state = "" if summary["complete"] else " [yellow](not complete)[/]"
        table.add_row(
            escape(result.source.stream) + state,
            escape(_seen(summary)),
            f"{summary['media_s']:.1f} s",
            f"{summary.get('speed', 0):.2f}x real time",
            escape(str(result.out)),
        )
    console.print(table)


def _seen(summary: dict[str, Any]) -> str:
    lines = []
    for lane, counts in summary["counts"].items():
        tracks = summary["tracks"].get(lane)
        if tracks is not None:
            lines.append(f"{lane}: {tracks} tracks in {sum(counts.values())} observations")
        elif counts:
            told = ", ".join(f"{label} x{count}" for label, count in sorted(counts.items()))
            lines.append(f"{lane}: {told}")
        else:
            lines.append(f"{lane}: nothing")
    if not summary["ledger"]["closed"]:
        lines.append("THE BOOKS DO NOT CLOSE: see summary.json")
    return "\n".join(lines)
