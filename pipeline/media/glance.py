"""Whether something moves, seen in a few pictures: key frames, and what was decoded anyway."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.media.pixels import AvPixels
from pipeline.media.scan import GopGate
from pipeline.records import Frame, Pixels, Skipped, Span

LOOK_S = Fraction(2, 5)
LOOK_PX = 160
LEAST_CHANGE = 12.0
NOISE_LEVELS = 6.0
LEAST_AREA = 0.0005
"""What counts as motion: as for the motion gate, but half of its area, as fewer are compared."""

Luma = NDArray[np.float32]


class Glance:
    """Compares each key frame with the one before, so that who comes or goes is not missed.

    Has a decoder of its own, for key frames need no other picture. They are looked at and let go.
    """

    def __init__(self, stream: VideoStream) -> None:
        known: Any = stream.codec_context
        self._context: Any = CodecContext.create(known.codec, "r")
        self._context.extradata = known.extradata
        self._context.width, self._context.height = known.width, known.height
        self._context.codec_tag = known.codec_tag
        self._context.thread_count = 1
        # Nobody is shown these pictures: edges between blocks may stay.
        self._context.options = dict(known.options) | {"skip_loop_filter": "all"}
        self._before: Luma | None = None
        self._looked = Fraction(0)

    def changed(self, packet: Packet[Any], time: Fraction) -> bool:
        """True when this key frame, at this time, shows something elsewhere than the last one.

        Key frames that follow at once are not looked at; one that cannot be decoded has changed.
        """
        if self._before is not None and 0 <= time - self._looked < LOOK_S:
            return False
        before, self._before, self._looked = self._before, self._seen(packet), time
        if before is None:
            return False
        return self._before is None or differ(before, self._before)

    def _seen(self, packet: Packet[Any]) -> Luma | None:
        frames: list[VideoFrame] = []
        try:
            frames = [*self._context.decode(packet), *self._context.decode(None)]
        except av.FFmpegError:
            pass
        finally:
            self._context.flush_buffers()
        return small(AvPixels(frames[0])) if frames else None


class Watch:
    """Tells the gate of every group that was decoded whole whether something moved in it.

    Two pictures of a group, `LOOK_S` apart, are compared; light that changes everywhere at once is
    no motion, nor is what a noisy picture does everywhere.
    """

    def __init__(self, gate: GopGate) -> None:
        self._gate = gate
        self._expected: deque[tuple[int, Span]] = deque()
        self._picture: Luma | None = None
        self._looked = Fraction(0)
        self._moved = False

    def expect(self, number: int, span: Span) -> None:
        """Names a group whose pictures will come."""
        self._expected.append((number, span))

    def look(self, item: Frame | Skipped) -> None:
        """Takes a picture, or learns that some were passed over."""
        frame = item if isinstance(item, Frame) else None
        time = item.span.start if frame is None else frame.pts * frame.time_base
        while self._expected and time >= self._expected[0][1].end:
            number, _ = self._expected.popleft()
            self._gate.seen(number, self._moved)
            self._moved = False
        if frame is None:
            self._picture = None
            self._gate.moving(False)
        elif self._expected and (self._picture is None or time - self._looked >= LOOK_S):
            before, self._picture = self._picture, small(frame.pixels)
            self._looked = time
            if before is not None:
                moves = differ(before, self._picture)
                self._moved |= moves
                self._gate.moving(moves)


def differ(one: Luma, other: Luma) -> bool:
    """True when something stands elsewhere in the other picture; (H, W) brightness each.

    Light that changes everywhere at once is no difference, nor is what noise does everywhere.
    """
    if one.shape != other.shape:
        return True
    change = other - one
    change -= np.clip(change, -LEAST_CHANGE, LEAST_CHANGE).mean()
    np.abs(change, out=change)
    least = max(LEAST_CHANGE, NOISE_LEVELS * float(np.minimum(change, LEAST_CHANGE).mean()))
    return bool((change >= least).mean() >= LEAST_AREA)


def small(pixels: Pixels) -> Luma:
    """(H, W) brightness of a picture, small and a little blurred."""
    import cv2

    return np.asarray(cv2.blur(pixels.luma(LOOK_PX), (3, 3)), np.float32)
