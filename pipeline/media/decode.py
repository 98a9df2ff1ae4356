"""A source, decoded once: its pictures and its sound, in the order in which they are stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, suppress
from fractions import Fraction
from typing import Any, Self

import av
from av.packet import Packet
from av.stream import Discard, Stream

from pipeline.errors import SourceLost, SourceUnreadable
from pipeline.media.address import OpenPlan
from pipeline.media.anchor import Anchor
from pipeline.media.clock import AudioClock, VideoClock
from pipeline.media.damage import LOSSY_KINDS, Damage
from pipeline.media.gops import GopRow, Sieve, Step
from pipeline.media.opening import Opened, exact, opened, reason, redact
from pipeline.media.part import AudioPart, Part, VideoPart
from pipeline.media.probe import describe, stream_name
from pipeline.media.scan import ScanSettings
from pipeline.records import Frame, Item, Medium, Skipped, StreamInfo

BAD_READS_IN_A_ROW = 100
ANY_JUMP_S = Fraction(10**9)
_DAMAGED = (
    av.error.InvalidDataError,
    av.error.MemoryError,
    av.error.PatchWelcomeError,
    av.error.UndefinedError,
)


class Decoder:
    """Decodes a source's first video and first audio stream, each packet once.

    Use it as a context manager; `info` is known inside the block. What was damaged is counted in
    `troubles` by medium and kind ("corrupt_packet": could not be decoded or was marked as damaged
    by the demuxer, "corrupt_frame": decoded with visible damage, "doubted_pts": times that made
    no sense, "overlap_samples": sound that came twice, "nothing_decoded": a stream that the header
    claims brought nothing; of a stream from the network also "missing_packets": lost on the way,
    "damaged_frames": left out for that); decoding goes on after it. `threads` decode pictures; with
    one, damaged pictures are concealed in the same way every time, and many sources share a machine
    best. Troubles are added to `troubles` if it is given, and to `cpu_s` the processor time that
    decoding takes, by medium. `heard` is called with each packet before
    it is decoded; where it says False the packet is left out. By then `anchor` is there, and
    whoever heard the first packet may still move it. With a `scan` not every group of pictures is
    decoded: what was passed over comes as Skipped, and `scanned` says why. With `vectors`, and in a
    scan by them, frames know which share of them moves.
    """

    def __init__(
        self,
        source: str | OpenPlan,
        stream: str | None = None,
        *,
        media: Collection[Medium] = ("video", "audio"),
        timeout_s: float | None = None,
        options: Mapping[str, str] | None = None,
        threads: int = 1,
        heard: Callable[[Packet[Any]], bool] | None = None,
        troubles: Counter[tuple[str, str]] | None = None,
        cpu_s: defaultdict[str, float] | None = None,
        begin: Fraction = Fraction(0),
        scan: ScanSettings | None = None,
        vectors: bool = False,
    ) -> None:
        self.source = source if isinstance(source, str) else source.shown
        self.stream = stream or stream_name(self.source)
        self.troubles: Counter[tuple[str, str]] = Counter() if troubles is None else troubles
        self.cpu_s: defaultdict[str, float] = defaultdict(float) if cpu_s is None else cpu_s
        self._media = frozenset(media)
        self._from = source
        self._timeout_s = timeout_s
        self._options = options
        # What was decoded decides on what is: it must not depend on the number of threads.
        self._threads = threads if scan is None else 1
        self._heard = heard
        self._begin = begin
        self._scan = scan
        self._vectors = vectors or (scan is not None and scan.kind == "vectors")
        self._sieve: Sieve | None = None
        self.anchor = Anchor(None)
        self._damage: Damage | None = None
        self._exit = ExitStack()
        self._opened: Opened | None = None
        self._info: StreamInfo | None = None
        self._playing: Mapping[int, Part] = {}
        self._read = False

    @property
    def info(self) -> StreamInfo:
        """What the source's header claims."""
        if self._info is None:
            message = "the source is not open: use the decoder in a `with` block"
            raise ValueError(message)
        return self._info

    @property
    def sender_s(self) -> float | None:
        """The sender's wall time (seconds since 1970) of its pts 0; None until it has told it."""
        told = self._opened.container.start_time_realtime if self._opened else None
        return None if told is None else told / 1e6

    @property
    def note(self) -> str:
        """What a person may want to know of how it is decoded; empty when there is nothing."""
        return self._opened.note if self._opened else ""

    @property
    def decoded(self) -> dict[Medium, int]:
        """How many pictures and samples were decoded so far."""
        return {part.medium: part.decoded for part in self._playing.values()}

    @property
    def scanned(self) -> tuple[GopRow, ...]:
        """What became of the groups of pictures so far, and why; nothing without a scan."""
        return () if self._sieve is None else self._sieve.rows

    def __enter__(self) -> Self:
        """Opens the source; raises SourceMissing or SourceUnreadable."""
        with ExitStack() as undo:
            self._opened = undo.enter_context(
                opened(self._from, timeout_s=self._timeout_s, options=self._options)
            )
            self._info = describe(self._opened, self.source, self.stream)
            if not self._media.intersection(self._info.media):
                wanted = " or ".join(sorted(self._media))
                message = f"{redact(self.source)} has no {wanted}"
                raise SourceUnreadable(message)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Closes the source."""
        self._exit.close()

    def items(self) -> Iterator[Item]:
        """Frames, chunks of sound and gaps in demux order, to the drained end; once.

        Raises SourceUnreadable when nothing at all can be decoded, and SourceLost, after all that
        was read, when a source on the network breaks off.
        """
        if self._opened is None:
            message = "the source is not open: use the decoder in a `with` block"
            raise ValueError(message)
        if self._read:
            message = "a source is decoded once: use a new decoder to decode it again"
            raise ValueError(message)
        self._read = True
        parts = self._playing = self._parts(self._opened)
        if self._begin > 0:
            self._seek(self._opened)
        lost: str | None = None
        try:
            yield from self._decoded(self._packets(self._opened, parts), parts)
        except av.FFmpegError as error:
            lost = reason(error)
        if self._sieve is not None:
            yield from self._sifted(self._sieve, self._sieve.flush(), parts)
        for part in parts.values():
            yield from part.drain()
        if lost is not None:
            message = f"{redact(self.source)}: broke off while it was read ({lost})"
            raise SourceLost(message)
        self._check_decoded(parts)

    def _parts(self, source: Opened) -> dict[int, Part]:
        self.anchor = anchor = Anchor(source.origin)
        parts: dict[int, Part] = {}
        if source.video is not None and "video" in self._media:
            source.video.thread_type = "AUTO"
            source.video.codec_context.thread_count = self._threads
            if self._vectors:
                source.video.codec_context.options |= {"flags2": "+export_mvs"}
            rate = self.info.video.rate_from_header if self.info.video else None
            base = exact(source.video.time_base)
            if isinstance(self._from, OpenPlan) and self._from.kind in LOSSY_KINDS:
                self._damage = Damage(self.troubles, base)
            clock = VideoClock(base, rate, anchor)
            part = VideoPart(source.video, clock, self.troubles, self.cpu_s, self._damage)
            parts[source.video.index] = part
        if source.audio is not None and "audio" in self._media:
            sound_clock = AudioClock(exact(source.audio.time_base), anchor)
            sound = AudioPart(source.audio, sound_clock, self.troubles, self.cpu_s)
            parts[source.audio.index] = sound
        for stream in source.container.streams:
            if stream.index not in parts:
                stream.discard = Discard.all
        return parts

    def _decoded(
        self, packets: Iterator[Packet[Stream]], parts: Mapping[int, Part]
    ) -> Iterator[Item]:
        video = self._opened.video if self._opened and "video" in self._media else None
        if self._scan is None or self._scan.kind not in ("packets", "keyframes") or video is None:
            for packet in packets:
                yield from parts[packet.stream.index].decode(packet)
            return
        self._sieve = sieve = Sieve(self._scan, video, self.anchor)
        for packet in packets:
            yield from self._sifted(sieve, sieve.push(packet), parts)

    def _sifted(
        self, sieve: Sieve, steps: Iterator[Step], parts: Mapping[int, Part]
    ) -> Iterator[Item]:
        for step in steps:
            items: Iterator[Item]
            if step.decode:
                items = (i for one in step.packets for i in parts[one.stream_index].decode(one))
            else:
                pictures = parts[sieve.video]
                assert isinstance(pictures, VideoPart)
                items = pictures.pass_over(step.packets)
            for item in items:
                if isinstance(item, Frame | Skipped):
                    sieve.look(item)
                yield item

    def _seek(self, source: Opened) -> None:
        """Goes to the key frame before `begin`; where the container cannot, to its start."""
        stream = source.video if "video" in self._media else source.audio
        if stream is None:
            return
        self.anchor.longest_jump = ANY_JUMP_S  # the first picture may lie far from 0
        time = self._begin + (source.origin or Fraction(0))
        with suppress(av.FFmpegError):
            source.container.seek(int(time / exact(stream.time_base)), stream=stream)

    def _packets(self, source: Opened, parts: Mapping[int, Part]) -> Iterator[Packet[Stream]]:
        streams = [source.container.streams[index] for index in parts]
        bad_reads = 0
        while True:
            try:
                for packet in source.container.demux(*streams):
                    # Packets without data are PyAV's sign of the end; the parts drain themselves.
                    if packet.size:
                        bad_reads = 0
                        if self._damage is not None:
                            self._damage.arrived(packet)
                        if self._heard is None or self._heard(packet):
                            yield packet
            except _DAMAGED:
                self.troubles["container", "corrupt_packet"] += 1
                bad_reads += 1
                if bad_reads == BAD_READS_IN_A_ROW:
                    return
            except IndexError:
                # At the end PyAV trips over streams that damage made appear on the way.
                return
            else:
                return

    def _check_decoded(self, parts: Mapping[int, Part]) -> None:
        empty = [part.medium for part in parts.values() if not part.decoded]
        for medium in empty:
            self.troubles[medium, "nothing_decoded"] += 1
        if len(empty) < len(parts):
            return
        corrupt = sum(count for (_, what), count in self.troubles.items() if "corrupt" in what)
        what = {"video": "picture", "audio": "sound"}
        nothing = " and no ".join(what[medium] for medium in empty)
        message = (
            f"{redact(self.source)}: its header claims {' and '.join(empty)}, but no {nothing}"
            f" could be decoded ({corrupt} corrupt packets); is the file complete?"
        )
        raise SourceUnreadable(message)
