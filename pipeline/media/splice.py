"""Where a new connection joins the media time that those before it reached."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from av.packet import Packet

from pipeline.media.address import LiveAddress
from pipeline.media.anchor import Anchor, first_ticks
from pipeline.media.opening import exact
from pipeline.media.retold import Content, Retold, content_of
from pipeline.records import StreamInfo

RETOLD_S = 15
PLAYLIST_S = 120
"""So far back a connection may begin: by a key frame or two, or by a playlist's segments."""
EARLY_S = 0.5
"""So long sound waits for the picture that was sent with it: a burst may bring all of it first."""


class Splice:
    """Joins connections: by content that came before, else by the wall clock; files end to end.

    `placed` is True once the connection's first packet has its place. `known` are the key frames
    of the reader before, when there was one.
    """

    def __init__(
        self, address: LiveAddress, known: dict[Content, Fraction | None] | None = None
    ) -> None:
        self.placed = False
        self._address = address
        self._retold = Retold(PLAYLIST_S if address.kind == "hls" else RETOLD_S, known)
        self._sound_tells = False
        self._connections = 0
        self._held_at: float | None = None

    @property
    def known(self) -> dict[Content, Fraction | None]:
        """The key frames by which a connection is recognised, for a reader after this one."""
        return self._retold.known

    def connected(self, info: StreamInfo) -> None:
        """Takes note of a new connection, of which no packet has its place yet."""
        self.placed = False
        self._sound_tells = info.video is None
        self._connections += 1
        self._held_at = None

    def early(self, packet: Packet[Any], now: float) -> bool:
        """True for sound before the key frame that will tell where a connection goes on.

        Little of it: what comes so soon after an outage belongs to the outage. `now` is of
        `time.monotonic`.
        """
        if self._tells(packet) or not self._retold.known:
            return False
        self._held_at = now if self._held_at is None else self._held_at
        return now - self._held_at < EARLY_S

    def place(
        self, packet: Packet[Any], anchor: Anchor, begin: Fraction, reached: Fraction
    ) -> None:
        """Says where in media time a connection begins, whose first packet this is.

        `begin` is where the wall clock says, and `reached` how far the stream has come.
        """
        if self._goes_on(begin - reached):
            begin = reached
        pts_s = first_ticks(packet) * exact(packet.time_base)
        origin = pts_s if anchor.origin is None else anchor.origin
        if packet.pts is None:
            origin = min(origin, pts_s)
        content = content_of(bytes(packet)) if self._tells(packet) else None
        told = self._retold.time_of(content, reached) if content else None
        if told is not None and told <= reached:
            anchor.begin_at(told, pts_s)
        else:
            anchor.begin_at(begin, origin)
        self.placed = True

    def remember(self, packet: Packet[Any], media: Fraction) -> None:
        """Keeps what the packet tells, if anything, as what came at this media time."""
        if self._tells(packet) and (content := content_of(bytes(packet))):
            self._retold.note(content, media)

    def _goes_on(self, ahead: Fraction) -> bool:
        """True for files that follow one another, when the clock is no more than that ahead.

        A turn of a file follows the one before; what lies before the first one is an outage.
        """
        if self._address.kind == "folder":
            return ahead < self._address.stall_s
        turns = self._address.kind == "file" and self._address.loop
        return turns and self._connections > 1

    def _tells(self, packet: Packet[Any]) -> bool:
        """True for packets by which content is recognised: key frames, or sound without video.

        None of files: they tell nothing twice, or do so on purpose.
        """
        if self._address.kind in ("file", "folder"):
            return False
        return packet.is_keyframe if packet.stream.type == "video" else self._sound_tells
