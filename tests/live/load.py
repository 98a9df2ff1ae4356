"""Many streams at once, measured: what is dropped, how late events are, what it costs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import psutil

from pipeline.lane import Lane
from pipeline.lanes.action import ActionLane
from pipeline.lanes.sound import SoundLane
from tests.live import feed
from tests.live.footage import Clip
from tests.live.lanes import number_lane
from tests.live.servers import RtspServer
from tests.live.watching import Use, Watching

STREET = Path(__file__).parents[2] / "examples" / "street.mp4"
SETTLE_S = 3.0
"""Openings, with their bursts, are over."""


def sixteen(out: Path, bars: Path, streams: int = 16, seconds: float = 20.0) -> dict[str, Any]:
    """Streams that are sampled twice a second and gated; figures of so many seconds."""
    lanes = [number_lane(rate_hz=2.0, gated=True)]
    return measured(out, bars, lanes, streams, seconds)


def four(out: Path, bars: Path, hop_s: float = 0.2, seconds: float = 30.0) -> dict[str, Any]:
    """Four streams with the sound and the action lane that ship; figures of so many seconds."""
    lanes = [
        SoundLane(kind="sound", hop_s=hop_s).build("cpu"),
        ActionLane(kind="action").build("cpu"),
    ]
    return measured(out, bars, lanes, 4, seconds)


def street(folder: Path) -> Path:
    """The feed of the street that ships, coded as cameras do: without frames that look ahead."""
    path = folder / "street.mp4"
    with av.open(STREET) as source, av.open(path, "w") as target:
        pictures = target.add_stream("libx264", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 640, 360, "yuv420p"
        pictures.codec_context.gop_size = 10
        pictures.codec_context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x264-params": "repeat-headers=1:scenecut=0",
        }
        sound = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux():
            if packet.stream.type == "audio":
                if packet.size:
                    packet.stream = sound
                    target.mux(packet)
                continue
            for frame in packet.decode():
                target.mux(pictures.encode(frame.reformat(640, 360, "yuv420p")))
        target.mux(pictures.encode(None))
    return feed.write(path, Clip(seconds=30, rate=10))


def measured(
    out: Path, bars: Path, lanes: Sequence[Lane], streams: int, seconds: float
) -> dict[str, Any]:
    """Figures of streams of one feed, from when all of them play."""
    names = [f"s{number:02}" for number in range(streams)]
    mounts = {f"/{name}": {"feed": bars} for name in names}
    delays: list[float] = []
    with RtspServer(mounts) as server, Watching(out, lanes=lanes) as watching:
        for name in names:
            watching.add(name, server.url(f"/{name}"))
        watching.until(watching.plays(*names))
        watching.run_for(SETTLE_S)
        watching.metrics.written = lambda _, new: delays.extend(new)  # type: ignore[method-assign]
        before = _cpu_s(watching)
        began = time.time()
        watching.run_for(seconds)
        took = time.time() - began
        after = _cpu_s(watching)
        readers = [Use.of([pid]) for pid in watching.pids("reader")]
        statuses = [watching.status(name) for name in names]
        watching.end()
    books = [watching.of(name).ledger for name in names]
    assert all(book["closed"] for book in books), books
    assert all(status.connections == 1 for status in statuses), statuses
    wanted = sum(b["offered"] - b["not_sampled"] for book in books for b in book["lanes"].values())
    dropped = sum(sum(b["dropped"].values()) for book in books for b in book["lanes"].values())
    return {
        "streams": streams,
        "seconds": round(took, 1),
        "dropped_share": round(dropped / wanted, 5),
        "gated": sum(b["gated"] for book in books for b in book["lanes"].values()),
        "cores": {role: round((after[role] - before[role]) / took, 3) for role in after},
        "reader_rss_anon_mib": round(max(use.rss_anon_bytes for use in readers) / 2**20, 1),
        "late_s": max(status.late_s for status in statuses),
        "events": len(delays),
        "delay_s": quantiles(delays),
    }


def starts(out: Path, bars: Path, times: int = 5) -> dict[str, Any]:
    """Seconds from the wish for a stream to its first event on the disk, the pool being warm."""
    took: list[float] = []
    with (
        RtspServer({"/a": {"feed": bars}}) as server,
        Watching(out, lanes=[number_lane(rate_hz=2.0)]) as watching,
    ):
        for number in range(times):
            name, began = f"s{number}", time.time()
            watching.add(name, server.url("/a"))
            written = watching.until(lambda name=name: watching.newest(name) >= 0)
            took.append(written - began)
            watching.supervisor.drop(name)
            watching.run_for(1)
        watching.end()
    return {"first_event_s": [round(one, 2) for one in took]}


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Median, p95, p99 and the greatest; empty for fewer than two values."""
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    told = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(values)}
    return {name: round(value, 3) for name, value in told.items()}


def _cpu_s(watching: Watching) -> dict[str, float]:
    roles = {role: watching.pids(role) for role in ("reader", "member", "keeper")}
    roles["supervisor"] = [os.getpid()]
    return {
        role: sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)
        for role, pids in roles.items()
    }
