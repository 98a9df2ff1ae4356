"""What a person sees of an offline job: one bar and its numbers, or a line now and then."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome

LINE_EVERY_S = 10.0


class BatchConsole:
    """Shows a tally: a moving bar in a terminal, a plain line every ten seconds elsewhere."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self.console = console
        self._tally = tally
        self._told = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("looking for videos", total=None, told="")

    def __enter__(self) -> BatchConsole:
        self._bar.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def found(self, tally: Tally) -> None:
        """While videos are looked for."""
        if tally.found % 1000 == 0:
            self._bar.update(self._task, told=f"{tally.found:,} found")

    def begins(self) -> None:
        """Everything was found; the work begins."""
        tally = self._tally
        self._bar.update(self._task, description="videos", told="starting the workers")
        told = f"{tally.found:,} videos, {tally.before:,} of them done before"
        told += f" ({tally.troubled:,} not well)" if tally.troubled else ""
        self.console.print(f"{told}; {size_of(tally.todo_bytes)} to go through", highlight=False)

    def tell(self, outcome: Outcome | None) -> None:
        """What came of a unit, or None: some time went by."""
        if outcome is not None and outcome.error and outcome.state in {"partial", "failed"}:
            mark = "[red]failed[/]" if outcome.state == "failed" else "[yellow]partial[/]"
            told = f"{mark} {escape(outcome.source)}: {escape(outcome.error)}"
            self.console.print(told, highlight=False, soft_wrap=True)
        tally = self._tally
        share = self._share()
        told = progress_of(tally)
        self._bar.update(self._task, total=1.0, completed=share, told=told)
        if not self.console.is_terminal and time.monotonic() - self._told >= LINE_EVERY_S:
            self._told = time.monotonic()
            self.console.print(f"{share:4.0%}  {told}", highlight=False, soft_wrap=True)

    def _share(self) -> float:
        tally = self._tally
        if tally.todo_bytes:
            return min(1.0, tally.done_bytes / tally.todo_bytes)
        return tally.finished / max(1, tally.finished + tally.todo)


def progress_of(tally: Tally) -> str:
    """The numbers in one line."""
    parts = [
        f"{tally.finished:,} of {tally.finished + tally.todo:,} videos",
        f"{tally.media_now_s / 3600:.2f} h of media",
        f"{tally.speed:.1f} x real time",
    ]
    if tally.failed or tally.partial:
        parts.append(f"{tally.failed:,} failed, {tally.partial:,} partial")
    if tally.workers_lost:
        parts.append(f"{tally.workers_lost} workers lost")
    if tally.left_s is not None:
        parts.append(f"{clock(tally.left_s)} left")
    return ", ".join(parts)


def audit_of(tally: Tally) -> str:
    """What the audit of the scan says, or nothing."""
    audit = tally.audit
    if audit.rate is None:
        return ""
    told = f"{audit.missed:,} of {audit.audited:,} groups of pictures that were to be skipped"
    bounds = f"with 95 % certainty {audit.low:.1%} to {audit.high:.1%}"
    return f"audit: {told} had an event, {audit.rate:.1%} ({bounds})"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def size_of(count: float) -> str:
    """Bytes, in the unit that fits."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
