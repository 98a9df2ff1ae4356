"""What a source tells twice: a new connection often begins with pictures that came before.

A camera sends its newest key frame first, to let the decoder begin; a playlist that is opened
again begins some segments back. Their content says where in media time the connection begins,
more exactly than any clock.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from fractions import Fraction
from typing import NamedTuple

MOST = 240
"""So many key frames are remembered, however close together they come."""
SMALLEST_BYTES = 64
"""Less content than that may well be the same by chance."""


class Content(NamedTuple):
    """What identifies a packet: its size and the CRC-32 of its bytes."""

    size: int
    crc: int


class Retold:
    """Remembers the key frames of the last `back_s` seconds of media time, and when they came.

    One whose content came more than once tells nothing.
    """

    def __init__(self, back_s: float, known: dict[Content, Fraction | None] | None = None) -> None:
        self._back_s = back_s
        self._known: OrderedDict[Content, Fraction | None] = OrderedDict(known or {})

    @property
    def known(self) -> dict[Content, Fraction | None]:
        """What is remembered, oldest first, for a reader that goes on after this one."""
        return dict(self._known)

    def note(self, content: Content, media: Fraction) -> None:
        """Remembers a key frame and its media time."""
        before = self._known.pop(content, media)
        self._known[content] = media if before == media else None
        while len(self._known) > MOST or self._too_old(next(iter(self._known.values())), media):
            self._known.popitem(last=False)

    def time_of(self, content: Content, now: Fraction) -> Fraction | None:
        """The media time at which this content came; None when it did not lately, or repeatedly."""
        told = self._known.get(content)
        return None if self._too_old(told, now) else told

    def _too_old(self, media: Fraction | None, now: Fraction) -> bool:
        return media is not None and now - media > self._back_s


def content_of(data: bytes) -> Content | None:
    """What identifies these bytes; None when they are too few to."""
    return Content(len(data), zlib.crc32(data)) if len(data) >= SMALLEST_BYTES else None
