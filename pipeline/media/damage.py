"""Which pictures of a stream from the network are damaged, because something was lost on the way.

A decoder flags the picture with the hole, and none of those that are predicted from it: damaged is
all from there on until a picture comes that needs no other. What was lost only FFmpeg's log tells
(by RTP's sequence numbers, RFC 3550), so that is listened to.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from fractions import Fraction
from typing import Any

import av.logging
from av.packet import Packet
from av.video.frame import VideoFrame

from pipeline.media.kinds import Kind

LOSSY_KINDS: frozenset[Kind] = frozenset({"rtsp", "sdp", "mpegts", "rtmp"})
HEALS_S = 20
"""So long after the last loss a stream that refreshes itself without key frames is whole again."""
HOLE_STEPS = 1.5
_MISSED = re.compile(r"missed (\d+) packets")
_UNFOUNDED = re.compile(r"Could not find ref|error while decoding|concealing")
_EARLIEST = -(1 << 63)


class _Heard(threading.local):
    """What FFmpeg said in this thread, which is the one that reads: a stream hears its own."""

    missing = 0
    unfounded = False


_heard = _Heard()


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if told := _MISSED.search(line):
            _heard.missing += int(told[1])
        elif _UNFOUNDED.search(line):
            _heard.unfounded = True


_listener = _Listener()


def listen() -> None:
    """Has FFmpeg's warnings heard here, and told nowhere: a lossy stream has thousands."""
    log = logging.getLogger("libav")
    if _listener not in log.handlers:
        log.addHandler(_listener)
        log.propagate = False
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)


class Damage:
    """Judges the pictures of one stream; `troubles` gets `missing_packets` of each medium.

    `arrived` is to be called with every packet before it is decoded, `failed` when that fails, and
    `spoils` with every picture as soon as it is decoded, in the thread that reads. `time_base` is
    that of the pictures.
    """

    def __init__(self, troubles: Counter[tuple[str, str]], time_base: Fraction) -> None:
        listen()
        _heard.missing, _heard.unfounded = 0, False
        self._troubles = troubles
        self._heals = int(HEALS_S / time_base)
        self._since: int | None = None
        self._hurt_at = _EARLIEST
        self._healed = (0, 0)
        self._missed = False
        self._last = _EARLIEST
        self._usual = 0

    def arrived(self, packet: Packet[Any]) -> None:
        """Takes note of a packet of either medium and of what was missed before it."""
        missing, _heard.missing = _heard.missing, 0
        video = packet.stream.type == "video"
        if missing:
            self._troubles["video" if video else "audio", "missing_packets"] += missing
            self._missed = True
        if not video:
            return
        time = self._time(packet)
        step = time - self._last
        # A line about lost packets does not say of which medium; a hole in its times does.
        hole = self._missed and self._usual and step > HOLE_STEPS * self._usual
        if missing or packet.is_corrupt or (hole and not packet.is_keyframe):
            self._hurt(time)
        elif self._since is not None and (packet.is_keyframe or time - self._hurt_at > self._heals):
            self._healed, self._since = (self._since, self._shown(packet)), None
        if not self._missed and self._last != _EARLIEST:
            self._usual = step
        self._missed, self._last = False, time

    def failed(self, packet: Packet[Any]) -> None:
        """Takes note of a packet that could not be decoded."""
        self._hurt(self._time(packet))

    def spoils(self, frame: VideoFrame) -> bool:
        """True when this picture is damaged, or predicted from one that is."""
        shown = frame.pts
        if frame.is_corrupt or _heard.unfounded:
            _heard.unfounded = False
            self._hurt(min((t for t in (shown, frame.dts) if t is not None), default=self._last))
        if self._since is not None and (shown is None or shown >= self._since):
            return True
        # Reordered pictures of before the key frame come after it.
        return shown is not None and self._healed[0] <= shown < self._healed[1]

    def _hurt(self, time: int) -> None:
        self._since = time if self._since is None else min(self._since, time)
        self._hurt_at = max(self._hurt_at, time)

    def _time(self, packet: Packet[Any]) -> int:
        return next((t for t in (packet.dts, packet.pts) if t is not None), self._last)

    def _shown(self, packet: Packet[Any]) -> int:
        return self._last if packet.pts is None else packet.pts
