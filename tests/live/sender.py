"""Plays a clip round and round by the wall clock to an address, as a program of its own.

Reads one JSON line (what `servers.Sender` writes) from standard input, says `ready` when the newest
key frame is about to go out, and ends with its standard input. `udp://` sends, `tcp://` listens and
serves every viewer, everything else is FFmpeg's (`rtmp://` publishes).
"""

import contextlib
import json
import math
import os
import socket
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

import av

# The newest key frame at the start has this time stamp: a shift back of 10 s stays above zero.
FIRST_S = 20.0
_OPTIONS = {"flush_packets": "1"}


class Datagrams:
    """Sends what is written to an address, seven TS packets at a time."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        self.address = (host, port)

    def write(self, data: bytes) -> int:
        """The number of bytes; a listener that is not there is no trouble."""
        for first in range(0, len(data), 7 * 188):
            with contextlib.suppress(ConnectionRefusedError):
                self.socket.sendto(data[first : first + 7 * 188], self.address)
        return len(data)


class Viewers:
    """Sends what is written to everybody who has connected."""

    def __init__(self, host: str, port: int) -> None:
        self.server = socket.create_server((host, port))
        self.server.setblocking(False)
        self.viewers: list[socket.socket] = []

    def write(self, data: bytes) -> int:
        """The number of bytes; who does not take them within a second is dropped."""
        with contextlib.suppress(BlockingIOError):
            viewer, _ = self.server.accept()
            viewer.settimeout(1.0)
            self.viewers.append(viewer)
        for viewer in list(self.viewers):
            try:
                viewer.sendall(data)
            except OSError:
                self.viewers.remove(viewer)
                viewer.close()
        return len(data)


def main() -> None:
    """Plays until standard input ends."""
    wish = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    target = _target(wish["url"])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    _play(wish, target)


def _target(url: str) -> Any:
    """Where the multiplexed bytes go: a sink of ours for UDP and TCP, else FFmpeg's own."""
    parts = urllib.parse.urlsplit(url)
    kinds = {"udp": Datagrams, "tcp": Viewers}
    if parts.scheme not in kinds:
        return url
    return kinds[parts.scheme](str(parts.hostname), parts.port or 0)


def _play(wish: dict[str, Any], target: Any) -> None:
    epoch, length = wish["epoch"], wish["seconds"]
    packets = _packets(wish["path"], length)
    started = time.time()
    place = _newest_key(packets, started - epoch, length)
    begin = packets[place[1]].time + place[0] * length
    shifts = [(0.0, 0.0), *wish["shifts"]]
    ends = [started + after for after, _ in shifts[1:]] + [math.inf]
    for (_, shift), until in zip(shifts, ends, strict=True):
        # A muxer refuses times that go back: every shift has one of its own.
        with (
            av.open(wish["path"]) as source,
            av.open(target, "w", format=wish["format"], options=_OPTIONS | wish["options"]) as out,
        ):
            streams = [out.add_stream_from_template(one) for one in source.streams]
            out.start_encoding()
            while time.time() < until:
                turn, index = place
                place = (turn, index + 1) if index + 1 < len(packets) else (turn + 1, 0)
                due = packets[index].time + turn * length
                time.sleep(max(0.0, epoch + due - time.time()))
                out.mux_one(packets[index].at(streams, FIRST_S + due - begin + shift))


@dataclass(frozen=True)
class Piece:
    """One packet of the clip."""

    stream: int
    is_key: bool
    time: float
    duration: float
    data: bytes

    def at(self, streams: list[Any], time: float) -> Any:
        """The packet, to be shown at this time of the stream."""
        packet = av.Packet(self.data)
        packet.stream = streams[self.stream]
        packet.time_base = base = packet.stream.time_base
        packet.pts = packet.dts = round(time / base)
        packet.duration = round(self.duration / base)
        packet.is_keyframe = self.is_key
        return packet


def _packets(path: str, length: float) -> list[Piece]:
    found = []
    with av.open(path) as source:
        for packet in source.demux():
            if packet.pts is None:
                continue
            base = float(packet.time_base)
            time, duration = packet.pts * base, (packet.duration or 0) * base
            piece = Piece(packet.stream_index, packet.is_keyframe, time, duration, bytes(packet))
            found.append(piece)
    # One round exactly: what a coder appended for its own delay is in the next round already.
    starts = {one.stream: one.time for one in reversed(found)}
    kept = [one for one in found if one.time < starts[one.stream] + length - 0.001]
    return sorted(kept, key=lambda one: one.time)


def _newest_key(packets: list[Piece], now: float, length: float) -> tuple[int, int]:
    turn, rest = divmod(now, length)
    # Stream 0 is the picture of every clip that has one.
    pictures = [(i, one) for i, one in enumerate(packets) if one.stream == 0]
    keys = [i for i, one in pictures if one.is_key and one.time <= rest]
    return int(turn), keys[-1]


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
