"""`witness top`: streams and networks of a witness that runs, in a terminal, live."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands.request import GOOD, INTERRUPTED
from pipeline.commands.streams import LOOKS, NO_ANSWER, USAGE, length
from pipeline.control.client import Client
from pipeline.errors import ConfigError, NoAnswer
from pipeline.measure.reading import Reading

FIRST_S = 1.0
"""So soon after the first reading the second is taken: rates need two."""


@dataclass(slots=True)
class Seen:
    """Two readings, how the streams are, and what was last seen in each while this looked."""

    now: Reading
    before: Reading
    streams: list[dict[str, Any]]
    latest: dict[str, tuple[str, float]] = field(default_factory=dict)

    @classmethod
    def first(cls, client: Client) -> Seen:
        """The first look: no rates yet."""
        now = Reading.of(client.metrics(), time.monotonic())
        return cls(now, now, client.streams())

    def look(self, client: Client) -> None:
        """Looks once more."""
        self.before, self.now = self.now, Reading.of(client.metrics(), time.monotonic())
        self.streams = client.streams()
        for labels, _ in self.now.risen(self.before, "events"):
            self.latest[labels["stream"]] = (labels["label"], self.now.at_s)


def top_command(out: Path, every_s: float, *, once: bool) -> int:
    """The exit code, once Ctrl-C came, or at once when it is to look only once."""
    console, client = Console(highlight=False), Client(out)
    try:
        seen = Seen.first(client)
        time.sleep(min(FIRST_S, every_s))
        seen.look(client)
        if once or not console.is_terminal:
            console.print(page(seen))
            return GOOD
        with Live(page(seen), console=console, screen=True, auto_refresh=False) as live:
            _follow(seen, client, every_s, lambda shown: live.update(shown, refresh=True))
    except KeyboardInterrupt:
        return INTERRUPTED if once else GOOD
    except (ConfigError, NoAnswer) as error:
        console.print(f"[red]error[/] {escape(str(error))}", soft_wrap=True)
        return NO_ANSWER if isinstance(error, NoAnswer) else USAGE


def _follow(
    seen: Seen, client: Client, every_s: float, show: Callable[[RenderableType], None]
) -> NoReturn:
    """Looks again and again; while no answer comes it says so over the last numbers."""
    while True:
        time.sleep(every_s)
        try:
            seen.look(client)
            show(page(seen))
        except NoAnswer as error:
            show(Group(Text(str(error), style="red"), page(seen)))


def page(seen: Seen) -> RenderableType:
    """All of it: a line for the whole, the streams, the lanes."""
    return Group(_head(seen), streams_table(seen), lanes_table(seen))


def _head(seen: Seen) -> Text:
    now, before = seen.now, seen.before
    playing = sum(stream["state"] == "playing" for stream in seen.streams)
    members, ready = now.total("pool_members"), now.total("pool_members_ready")
    # Answers that come together tell of work that was done before.
    busy = min(1.0, now.rate(before, "pool_busy_seconds") / max(1.0, ready))
    free = now.total("disk_free_bytes")
    told = [
        f"{playing} of {len(seen.streams)} streams play",
        f"{now.rate(before, 'decoded', medium='video'):.0f} frames/s",
        f"{now.rate(before, 'events') * 60:.0f} events/min",
        f"{ready:.0f} of {members:.0f} pool members, {busy:.0%} busy",
    ]
    if free:
        told.append(f"{free / 2**30:,.1f} GiB free")
    told.append(time.strftime("%H:%M:%S"))
    return Text("  ·  ".join(told), style="bold")


def streams_table(seen: Seen) -> Table:
    """A row for each stream; those that do not play come first."""
    now, before = seen.now, seen.before
    left = ("stream", "state", "last event")
    table = _table(
        left,
        ("stream", "state", "for", "fps", "analysed/s", "lag", "dropped", "events/min", left[2]),
    )
    for stream in sorted(seen.streams, key=lambda one: (one["state"] == "playing", one["name"])):
        name, state, reason = stream["name"], stream["state"], stream["reason"]
        lag_s = max(stream["late_s"], now.total("stream_behind_seconds", stream=name))
        label, at_s = seen.latest.get(name, ("", now.at_s))
        dropped = now.total("dropped", stream=name)
        lost_now = now.rate(before, "dropped", stream=name) > 0
        table.add_row(
            escape(name),
            f"[{LOOKS.get(state, 'dim')}]{state}[/]" + (f": {escape(reason)}" if reason else ""),
            length(stream["since_s"]),
            f"{now.rate(before, 'decoded', stream=name, medium='video'):.1f}",
            f"{now.rate(before, 'analysed', stream=name):,.0f}",
            f"{lag_s:.2f} s" if state == "playing" else "",
            f"[red]{dropped:,.0f}[/]" if lost_now else f"{dropped:,.0f}",
            f"{now.rate(before, 'events', stream=name) * 60:.0f}",
            f"{escape(label)}, {length(now.at_s - at_s)} ago" if label else "",
        )
    return table


def lanes_table(seen: Seen) -> Table:
    """A row for each lane: what waits, and what its networks take."""
    now, before = seen.now, seen.before
    table = _table(
        ("lane",), ("lane", "ready", "waiting", "calls/s", "windows a call", "p95 of a call")
    )
    for lane in now.values("lane_ready", "lane") or now.values("analysed", "lane"):
        calls = now.rate(before, "stage_seconds_count", stage="predict", lane=lane)
        windows = now.rate(before, "batch_windows_sum", lane=lane)
        p95 = now.quantile(before, "stage_seconds", 0.95, stage="predict", lane=lane)
        table.add_row(
            escape(lane),
            "yes" if now.total("lane_ready", lane=lane) else "[red]no[/]",
            f"{now.total('queued_windows', lane=lane):.0f}",
            f"{calls:.1f}",
            f"{windows / calls:.1f}" if calls else "",
            "" if p95 is None else f"<= {p95 * 1000:.0f} ms",
        )
    return table


def _table(left: tuple[str, ...], columns: tuple[str, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", overflow="fold")
    return table
