"""Which scan suits a stream: from what its packets tell, by what decoding and networks cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median
from typing import Any

from av.packet import Packet
from av.stream import Discard

from pipeline.media.address import OpenPlan
from pipeline.media.clock import FALLBACK_RATE
from pipeline.media.gops import Held
from pipeline.media.levels import Rate
from pipeline.media.opening import exact_rate, opened
from pipeline.media.scan import Gop, ScanKind
from pipeline.records import Span

PROBED_PACKETS = 6000
PROBED_BYTES = 32 * 2**20
DEMUX_S = 0.00004
DECODE_S_PER_MPX = 0.0012
NETWORK_S = 0.03
"""Measured on two cores, in seconds: a packet, a megapixel, and an answer of a usual network.

Fixed, so that the choice depends on the stream and the lanes alone, wherever a job goes on.
"""
EXPECTED_SHARE = 0.25
"""So much of a stream is expected to be active or beside what is."""
LEAST_GAIN = 1.2
LONGEST_GOP_S = 30.0
NOWHERE = Span(Fraction(0), Fraction(0))


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the beginning of a stream's packets tells of it.

    `gops` whole groups were seen, of `gop_frames` pictures in the median and `longest_frames` at
    most. `odd` says why their sizes tell nothing, or nothing.
    """

    codec: str
    megapixels: float
    rate_hz: float
    gops: int
    gop_frames: int
    longest_frames: int
    odd: str = ""

    @property
    def gop_s(self) -> float:
        """The usual length of a group in seconds."""
        return self.gop_frames / self.rate_hz


@dataclass(frozen=True, slots=True)
class ScanChoice:
    """The scan that suits a stream, why, and how much faster than without it is expected."""

    kind: ScanKind
    why: str
    gain: float = 1.0


def probe_gops(source: str | OpenPlan) -> ScanFacts | None:
    """What up to 6,000 packets of the source tell, undecoded; None without pictures.

    Raises SourceMissing and SourceUnreadable.
    """
    with opened(source) as known:
        if known.video is None:
            return None
        for stream in known.container.streams:
            if stream.index != known.video.index:
                stream.discard = Discard.all
        groups = _groups(known.container.demux(known.video))
        context = known.video.codec_context
        rate = exact_rate(known.video.average_rate or known.video.guessed_rate)
        lengths = [gop.frames for gop in groups] or [0]
        return ScanFacts(
            codec=context.name,
            megapixels=context.width * context.height / 1e6,
            rate_hz=float(rate or FALLBACK_RATE),
            gops=len(groups),
            gop_frames=int(median(lengths)),
            longest_frames=max(lengths),
            odd=_odd(groups),
        )


def choose_scan(
    facts: ScanFacts | None, lane_rates_hz: Sequence[float], network_s: float = NETWORK_S
) -> ScanChoice:
    """The cheapest scan that suits, for video lanes of these rates; its `why` is one line.

    `network_s` is what an answer of their networks costs.
    """
    if facts is None or not lane_rates_hz:
        return ScanChoice("off", "no lane watches pictures")
    if not facts.gops:
        return ScanChoice("off", "no whole group of pictures at its beginning")
    if facts.longest_frames < 2:
        return ScanChoice("off", f"{facts.codec}: every picture is a key frame, nothing to compare")
    decode_s = facts.rate_hz * facts.megapixels * DECODE_S_PER_MPX
    networks_s = sum(min(rate, facts.rate_hz) for rate in lane_rates_hz) * network_s
    plain_s, demux_s = decode_s + networks_s, facts.rate_hz * DEMUX_S
    if max(lane_rates_hz) * facts.gop_s <= 1:
        key_s = demux_s + decode_s / facts.gop_frames + networks_s
        return ScanChoice(
            "keyframes", "key frames come as often as the lanes want pictures", plain_s / key_s
        )
    if not facts.odd and facts.longest_frames / facts.rate_hz <= LONGEST_GOP_S:
        gain = plain_s / (demux_s + EXPECTED_SHARE * plain_s)
        if gain >= LEAST_GAIN:
            why = f"{facts.codec}, a key frame every {facts.gop_s:.3g} s: sizes tell what to decode"
            return ScanChoice("packets", why, gain)
        return ScanChoice("off", "decoding costs hardly more than reading here")
    why = facts.odd or f"key frames up to {facts.longest_frames / facts.rate_hz:.3g} s apart"
    return ScanChoice("off", f"{why}: all is decoded; a lane's `gate: motion` spares its network")


def _groups(packets: Iterable[Packet[Any]]) -> list[Gop]:
    groups, held, bytes_read = [], Held(), 0
    for count, packet in enumerate(packets):
        bytes_read += packet.size
        if not packet.size or count == PROBED_PACKETS or bytes_read > PROBED_BYTES:
            break
        if packet.is_keyframe and held.pictures:
            groups.append(held.gop(NOWHERE))
            held = Held()
        if packet.is_keyframe or held.pictures:
            held.add(packet, video=True)
    if held.pictures:
        groups.append(held.gop(NOWHERE))
    return groups


def _odd(groups: Sequence[Gop]) -> str:
    rate = Rate()
    for gop in groups[1:-1]:
        rate.add(gop.bytes / gop.frames)
    filled = any(gop.odd == "constant_bit_rate" for gop in groups)
    return "a constant bit rate" if filled or rate.constant else ""
