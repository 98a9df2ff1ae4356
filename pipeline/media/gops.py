"""Packets held until it is decided whether their group of pictures is decoded, and what became."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.media.anchor import Anchor
from pipeline.media.glance import Glance, Watch
from pipeline.media.opening import exact
from pipeline.media.scan import Fate, Gop, GopGate, Reason, ScanSettings, Verdict
from pipeline.records import Frame, Skipped, Span

MOST_PACKETS = 3000
MOST_BYTES = 64 * 2**20
"""No more is held, of groups that are not decided: what is longer is decoded."""
MOST_ROWS = 20_000
FILLER = (b"\xff\xff\xff\xff\xff\xff\xff\x80", bytes(8))
"""How packets end that were filled up to reach a rate: H.264 and HEVC, then MPEG."""


@dataclass(frozen=True, slots=True)
class GopRow:
    """Groups of pictures in a row of which the same became, for the same reason.

    `frames` counts their packets, `decoded` those of them that went to the decoder. `score` is the
    highest of the gate's. Audited groups have a row each.
    """

    span: Span
    fate: Fate
    reason: Reason
    gops: int
    frames: int
    decoded: int
    score: float


@dataclass(frozen=True, slots=True)
class Step:
    """Packets to decode, in order of all media, or pictures to pass over undecoded."""

    packets: Sequence[Packet[Any]]
    decode: bool


class Sieve:
    """Holds packets until the gate has decided on their group; two groups at most, in order.

    Sound between the packets of a group waits with it, and is always decoded. What was decided is
    told by `rows`.
    """

    def __init__(self, settings: ScanSettings, video: VideoStream, anchor: Anchor) -> None:
        self._gate = GopGate(settings)
        self._watch = Watch(self._gate)
        self._glance = Glance(video) if settings.glance and settings.kind == "packets" else None
        self.video = video.index
        self._anchor = anchor
        self._open = Held()
        self._waiting: deque[tuple[Held, Gop]] = deque()
        self._through = False
        self._whole = True
        self._rows = Rows()

    @property
    def rows(self) -> tuple[GopRow, ...]:
        """What became of every group so far."""
        return self._rows.told

    def push(self, packet: Packet[Any]) -> Iterator[Step]:
        """What is decided now that this packet has come."""
        video = packet.stream_index == self.video
        if video and packet.is_keyframe:
            time = self._time_of(packet)
            changed = self._glance.changed(packet, time) if self._glance else False
            yield from self._closed(time, changed)
            self._through = False
        if self._through:
            if video:
                self._rows.longer(self._time_of(packet))
            yield Step([packet], decode=True)
            return
        self._open.add(packet, video)
        held = sum(one.held_bytes for one, _ in self._waiting) + self._open.held_bytes
        if len(self._open.packets) >= MOST_PACKETS or held >= MOST_BYTES:
            self._open.odd = "too_long"
            yield from self._closed(None)
            self._through = True

    def flush(self) -> Iterator[Step]:
        """What was still held."""
        yield from self._closed(None)
        yield from self._decided(self._gate.flush())

    def look(self, item: Frame | Skipped) -> None:
        """Takes what came of the steps, so that the gate learns what stillness is."""
        self._watch.look(item)

    def _closed(self, end: Fraction | None, changed: bool = False) -> Iterator[Step]:
        held, self._open = self._open, Held()
        times = [self._time_of(packet) for packet in held.pictures[:1] + held.pictures[-1:]]
        if times:
            start = times[0]
            span = Span(start, max(start, times[-1] if end is None else end))
            gop = replace(held.gop(span), changed=changed)
            self._waiting.append((held, gop))
            yield from self._decided(self._gate.judge(gop))
        elif held.packets:
            yield Step(held.packets, decode=True)

    def _decided(self, verdicts: Iterator[Verdict]) -> Iterator[Step]:
        for verdict in verdicts:
            held, gop = self._waiting.popleft()
            self._rows.add(verdict, gop)
            if verdict.fate == "all":
                self._watch.expect(verdict.number, gop.span)
            yield from self._steps(held, verdict.fate)

    def _steps(self, held: Held, fate: Fate) -> Iterator[Step]:
        whole, self._whole = self._whole, fate == "all"
        if whole and fate == "all":
            yield Step(held.packets, decode=True)
            return
        # What is shown before a key frame needs pictures of the group before, undecoded by now.
        early = [] if fate == "none" else held.shown_before_key()
        wanted = {"all": held.pictures, "key": held.pictures[:1], "none": []}[fate]
        taken = {id(packet) for packet in wanted} - {id(packet) for packet in early}
        rest = [one for one in held.pictures if id(one) not in taken and one not in early]
        yield Step(early, decode=False)
        yield Step(
            [one for one in held.packets if one.stream_index != self.video or id(one) in taken],
            decode=True,
        )
        yield Step(rest, decode=False)

    def _time_of(self, packet: Packet[Any]) -> Fraction:
        ticks = packet.dts if packet.pts is None else packet.pts
        shift = self._anchor.shifts[-1] if self._anchor.shifts else Fraction(0)
        return (ticks or 0) * exact(packet.time_base) + shift


@dataclass(slots=True)
class Held:
    """Packets of one group, and the sound between them."""

    packets: list[Packet[Any]] = field(default_factory=list)
    pictures: list[Packet[Any]] = field(default_factory=list)
    held_bytes: int = 0
    odd: Literal["", "constant_bit_rate", "too_long", "damaged"] = ""

    def add(self, packet: Packet[Any], video: bool) -> None:
        """Takes a packet."""
        self.packets.append(packet)
        self.held_bytes += packet.size
        if video:
            self.pictures.append(packet)

    def gop(self, span: Span) -> Gop:
        """What the gate wants to know of it."""
        first = self.pictures[0]
        ahead, between, latest = [], [], first.pts
        odd = self.odd
        for packet in self.pictures[1:]:
            if packet.pts is not None and latest is not None and packet.pts < latest:
                between.append(packet.size)
            else:
                ahead.append(packet.size)
                latest = packet.pts
            if packet.is_corrupt:
                odd = odd or "damaged"
        if not first.is_keyframe or first.is_corrupt:
            odd = odd or "damaged"
        if any(_filled(packet) for packet in self.pictures[1:4]):
            odd = odd or "constant_bit_rate"
        return Gop(span, len(self.pictures), first.size, ahead, between, odd)

    def shown_before_key(self) -> list[Packet[Any]]:
        """The pictures of an open group that are shown before its key frame."""
        key = self.pictures[0].pts
        if key is None:
            return []
        return [one for one in self.pictures if one.pts is not None and one.pts < key]


class Rows:
    """What became of the groups; runs are joined, and what is beyond 20,000 runs is summed up."""

    def __init__(self) -> None:
        self._rows: list[GopRow] = []
        self._sums: dict[tuple[Fate, Reason], GopRow] = {}
        self._summed: tuple[Fate, Reason] | None = None

    @property
    def told(self) -> tuple[GopRow, ...]:
        """Runs in order, then the sums."""
        return (*self._rows, *self._sums.values())

    def add(self, verdict: Verdict, gop: Gop) -> None:
        """Takes what was decided of a group."""
        decoded = {"all": gop.frames, "key": 1, "none": 0}[verdict.fate]
        row = GopRow(
            gop.span, verdict.fate, verdict.reason, 1, gop.frames, decoded, verdict.score or 0.0
        )
        kind = verdict.fate, verdict.reason
        last = self._rows[-1] if self._rows and self._summed is None else None
        if last is not None and (last.fate, last.reason) == kind and verdict.reason != "audit":
            self._rows[-1] = _joined(last, row)
        elif len(self._rows) < MOST_ROWS:
            self._rows.append(row)
        else:
            self._sums[kind] = _joined(self._sums[kind], row) if kind in self._sums else row
            self._summed = kind

    def longer(self, time: Fraction) -> None:
        """The latest group has one more picture, at this time, and it is decoded."""
        row = self._rows[-1] if self._summed is None else self._sums[self._summed]
        span = Span(row.span.start, max(row.span.end, time))
        grown = replace(row, span=span, frames=row.frames + 1, decoded=row.decoded + 1)
        if self._summed is None:
            self._rows[-1] = grown
        else:
            self._sums[self._summed] = grown


def _filled(packet: Packet[Any]) -> bool:
    return packet.size > 8 and bytes(memoryview(packet)[-8:]) in FILLER


def _joined(one: GopRow, other: GopRow) -> GopRow:
    return GopRow(
        Span(min(one.span.start, other.span.start), max(one.span.end, other.span.end)),
        one.fate,
        one.reason,
        one.gops + other.gops,
        one.frames + other.frames,
        one.decoded + other.decoded,
        max(one.score, other.score),
    )
