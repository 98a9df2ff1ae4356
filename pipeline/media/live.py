"""A live stream: opened again and again, for ever, on one media time.

The only loop that reconnects. It may hang inside FFmpeg, which no time-out reliably prevents: who
watches `pulse` from outside ends the process, not the call.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from fractions import Fraction
from threading import Event
from typing import Any

from av.packet import Packet
from tenacity import RetryCallState, RetryError

from pipeline.errors import SourceAbsent, SourceError, SourceLost
from pipeline.media.address import LiveAddress, plan_of
from pipeline.media.arrivals import Arrivals
from pipeline.media.attempts import knock, pause_after, retrying
from pipeline.media.decode import Decoder
from pipeline.media.folder import Segments
from pipeline.media.lateness import TIE_STEP_S, Lateness, Tie
from pipeline.media.opening import exact
from pipeline.media.outages import Broke, Outages, why_of
from pipeline.media.pulse import Pulse, Reached
from pipeline.media.silence import Silence
from pipeline.media.splice import Splice
from pipeline.records import AudioChunk, Frame, Gap, Item, Medium, Span, StreamInfo

STEADY_S = 5.0
"""A connection that held for so long was a good one: the next attempt follows at once."""
ENDED = "the sender ended the stream"
BETWEEN = 0.8
"""Of `stall_s` the share after which a recorder's folder, in which nothing is new, waits."""
NOTHING_NEW = "no new file came"


class LiveSource:
    """Frames, chunks of sound and gaps of a live stream, on media time that never runs backwards.

    The end of a connection is an outage: it becomes a Gap once something comes again, and an empty
    Gap at once, so that nobody waits for what was cut off. A stream's media time 0 is when its
    first packet came; after an outage it goes on where the wall clock says, or where the source's
    own clock says if that went on. Its media keep their distance to one another. `reached` and
    `outage` are of the reader before, when there was one; with `goes_on`, of the same watch.
    """

    def __init__(
        self,
        address: LiveAddress,
        stream: str,
        media: Collection[Medium],
        reached: Reached | None = None,
        *,
        outage: str = "",
        goes_on: bool = False,
        max_lag_s: float | None = None,
        vectors: bool = False,
    ) -> None:
        self.pulse = Pulse()
        self.info: StreamInfo | None = None
        self.troubles: Counter[tuple[str, str]] = Counter()
        self.decode_s: defaultdict[str, float] = defaultdict(float)
        self.outages = Outages(goes_on=goes_on)
        self.sender: Tie | None = None
        self._address = address
        self._stream = stream
        self._media = media
        self._vectors = vectors
        before = reached or Reached()
        self._ends: dict[Medium, Fraction] = dict(before.ends)
        self._frames = before.frames
        self._lateness = Lateness(before.epoch_s, max_lag_s)
        self._splice = Splice(address, before.keyframes)
        self._segments = Segments(address.path, address.shown) if address.kind == "folder" else None
        self._outage = outage
        self._seen: set[Medium] = set()
        self._fallen: Medium | None = None
        self._silence = Silence(address.stall_s)
        self._stopped = Event()
        self._shorts = 0
        self._arrivals = Arrivals()
        self._decoder: Decoder | None = None

    @property
    def reached(self) -> Reached:
        """Where the stream has come."""
        return Reached(dict(self._ends), self._frames, self._lateness.epoch_s, self._splice.known)

    @property
    def tie(self) -> Tie | None:
        """Media time tied to wall time; None before the first packet."""
        return self._lateness.tie

    def stop(self) -> None:
        """Ends `items` at the next packet, or at once while it waits; from any thread."""
        self._stopped.set()

    def items(self) -> Iterator[Item]:
        """What comes, through all outages, until `stop`; a file that does not loop ends."""
        while not self._stopped.is_set():
            try:
                decoder = retrying(self._stopped, self._failed)(self._open)
            except RetryError:
                break
            reason = ENDED
            why: Broke = "ended"
            try:
                yield from self._play(decoder)
            except SourceError as error:
                reason, why = str(error), why_of(error, self._fallen)
            finally:
                decoder.__exit__()
            if self._address.kind in ("file", "folder") and reason == ENDED:
                self._outage = NOTHING_NEW
                self.outages.perhaps("no_new_file", self._address.stall_s)
                if self._address.kind == "file" and not self._address.loop:
                    break
            else:
                if self._splice.placed and not self._stopped.is_set():
                    self.outages.began(why)
                yield from self._lost(reason)
                self._rest()
        self.pulse.turn("ended")

    def _open(self) -> Decoder:
        part = self._segments.next() if self._segments else None
        if self.pulse.state != "waiting":
            self.pulse.turn("opening", self.pulse.reason)
        with self.pulse.excused():  # a name server takes its time, and comes to an end by itself
            plan = plan_of(self._address, part)
            knock(self._address)
        self.pulse.turn("opening", self.pulse.reason)
        self._seen = set()
        self._silence.begin()
        self._fallen = None
        decoder = Decoder(
            plan,
            self._stream,
            media=self._media,
            heard=self._heard,
            troubles=self.troubles,
            cpu_s=self.decode_s,
            vectors=self._vectors,
        )
        decoder.__enter__()
        self._decoder, self.info = decoder, decoder.info
        self._splice.connected(decoder.info)
        self.pulse.played(decoder.note)
        return decoder

    def _failed(self, retry: RetryCallState) -> None:
        error = retry.outcome.exception() if retry.outcome else None
        heard_s = time.monotonic() - self.pulse.heard
        between = self._segments is not None and isinstance(error, SourceAbsent)
        if between and self.pulse.state == "playing" and heard_s < BETWEEN * self._address.stall_s:
            return  # the recorder is at its next file: that is how it plays
        self.pulse.turn("waiting", str(error or ""))
        self.pulse.attempts += 1

    def _rest(self) -> None:
        """Waits a little longer after each connection that did not hold."""
        self._shorts = 0 if self.pulse.played_s > STEADY_S else self._shorts + 1
        brought = self._decoder is not None and any(self._decoder.decoded.values())
        self._stopped.wait(pause_after(self._shorts, brought=brought))

    def _heard(self, packet: Packet[Any]) -> bool:
        """Takes note of a packet; False when it is jumped over, to be live again."""
        heard, self.pulse.heard = self.pulse.heard, time.monotonic()
        if self._decoder is None:
            return True
        now, set_by = self._arrivals.wall()
        self.pulse.newest_at = now
        if set_by:
            self._lateness.clock_was_set(set_by)
        anchor, kind = self._decoder.anchor, packet.stream.type
        if not self._splice.placed:
            if self._splice.early(packet, self.pulse.heard):
                return False
            reached = self.reached.position
            self._splice.place(packet, anchor, self._lateness.begins(now, reached), reached)
        if packet.pts is None:
            if not self._decoder.decoded.get(kind):  # RTSP's first: it lies where all begins
                self._splice.remember(packet, anchor.begin)
            return True
        pts_s = packet.pts * exact(packet.time_base)
        if self._address.kind not in ("file", "folder"):
            anchor.longest_jump = self._arrivals.longest_jump(heard, self.pulse.heard)
        # One medium may have met a new clock of the source that the other has not met yet.
        shifts = anchor.shifts[-1:-3:-1]
        media = self._lateness.among((pts_s + shift for shift in shifts), now, kind)
        if int(heard) != int(self.pulse.heard):  # about once a second
            self._check_media()
        if media is None:
            return True
        if int(heard) != int(self.pulse.heard):
            self._ask_sender(media, pts_s)
        self._splice.remember(packet, media)
        keyframe = packet.is_keyframe or kind == "audio"
        wanted = self._lateness.note(media, now, kind, keyframe=keyframe)
        self.pulse.late_s = self._lateness.late_s
        if not wanted:
            self._silence.begin()
            self.troubles[kind, "jumped_packets"] += 1
        return wanted

    def _check_media(self) -> None:
        """SourceLost when a medium fell silent: the next opening knows what there is now."""
        decoded = self._decoder.decoded if self._decoder else {}
        self._fallen = self._silence.fallen(decoded, self.pulse.heard)
        if self._fallen is not None:
            message = f"its {self._fallen} fell silent while the rest went on"
            raise SourceLost(message)

    def _ask_sender(self, media: Fraction, pts_s: Fraction) -> None:
        """Ties media time to the sender's clock, once RTCP has told it (RFC 3550, 6.4.1)."""
        begin_s = self._decoder.sender_s if self._decoder else None
        if begin_s is not None:
            tie = Tie(media, begin_s + float(pts_s))
            if self.sender is None or abs(self.sender.wall_of(media) - tie.wall_s) > TIE_STEP_S:
                self.sender = tie

    def _play(self, decoder: Decoder) -> Iterator[Item]:
        for item in decoder.items():
            yield from self._given_out(item)
            if self._address.realtime:
                early_s = self._lateness.early_s(self.reached.position, time.time())
                with self.pulse.excused():
                    self._stopped.wait(early_s)
            if self._stopped.is_set():
                return

    def _given_out(self, item: Item) -> Iterator[Item]:
        """The item, after the gap of the outage before it; nothing if it came before."""
        medium = item.medium if isinstance(item, Gap) else _medium_of(item)
        span = item.span
        end = self._ends.get(medium)
        if medium not in self._seen:
            if end is not None and span.start + span.duration / 2 < end:
                self.troubles[medium, "came_twice"] += 1
                return
            self._seen.add(medium)
            if end is not None and span.start > end:
                gap = Gap(medium, Span(end, span.start), self._outage)
                self.outages.over(gap)
                yield gap
        self._ends[medium] = span.end if end is None else max(end, span.end)
        if isinstance(item, Frame):
            item = replace(item, index=self._frames)
            self._frames += 1
        yield item

    def _lost(self, reason: str) -> Iterator[Gap]:
        self._outage = reason
        self.pulse.turn("waiting", reason)
        for medium, end in self._ends.items():
            yield Gap(medium, Span(end, end), reason)


def _medium_of(item: Item) -> Medium:
    return "audio" if isinstance(item, AudioChunk) else "video"
