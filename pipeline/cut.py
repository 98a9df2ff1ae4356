"""One decode -> batches of windows for every lane: all that a Reader process does.

Imports PyAV and NumPy, never torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from pipeline.errors import SourceError
from pipeline.lane import Lane, Windower
from pipeline.media.decode import Decoder
from pipeline.media.gops import GopRow
from pipeline.media.scan import ScanSettings
from pipeline.records import (
    AudioChunk,
    Frame,
    Gap,
    Item,
    Medium,
    Skipped,
    Span,
    StreamInfo,
    Window,
)

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a Reader has done so far; plain numbers, cheap to send.

    `decoded` counts frames and samples by medium; `not_sampled`, `gated` and `dropped` (by reason)
    count them by lane. `gated_spans` is each lane's latest gated stretch. `position` is the media
    time that the decoder has reached. `decode_s` is the processor time that decoding took, by
    medium; it is no part of what was done, so two that did the same are equal.
    """

    position: Fraction
    decoded: dict[str, int]
    not_sampled: dict[str, int]
    gated: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    gated_spans: dict[str, Span] = field(default_factory=dict)
    decode_s: dict[str, float] = field(default_factory=dict, compare=False)

    @classmethod
    def nothing(cls) -> Progress:
        """Before the first step."""
        return cls(Fraction(0), {}, {})

    @classmethod
    def of(
        cls,
        position: Fraction,
        decoded: Mapping[str, int],
        windowers: Mapping[str, Windower],
        dropped: Mapping[str, Mapping[str, int]] | None = None,
        decode_s: Mapping[str, float] | None = None,
    ) -> Progress:
        """The totals of these windowers, by lane, and what was `dropped` after them."""
        given_up = {name: Counter(windower.dropped) for name, windower in windowers.items()}
        for name, counts in (dropped or {}).items():
            given_up[name].update(counts)
        spans = {name: windower.gated_span for name, windower in windowers.items()}
        return cls(
            position,
            dict(decoded),
            {name: windower.not_sampled for name, windower in windowers.items()},
            {name: windower.gated for name, windower in windowers.items()},
            {name: dict(counts) for name, counts in given_up.items() if counts},
            {name: span for name, span in spans.items() if span is not None},
            dict(decode_s or {}),
        )

    def after(self, earlier: Progress) -> Progress:
        """These totals on top of those of the readers before this one, of the same stream."""
        reasons = {
            name: _sums(earlier.dropped.get(name, {}), self.dropped.get(name, {}))
            for name in {**earlier.dropped, **self.dropped}
        }
        return Progress(
            max(earlier.position, self.position),
            _sums(earlier.decoded, self.decoded),
            _sums(earlier.not_sampled, self.not_sampled),
            _sums(earlier.gated, self.gated),
            reasons,
            {**earlier.gated_spans, **self.gated_spans},
            _sums(earlier.decode_s, self.decode_s),
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows of one lane, in order, ready for a predictor, and how far the Reader has come."""

    lane: str
    windows: list[Window]
    progress: Progress


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How reading ended: the reader's side of the books. `error` is None when it went well.

    `scan` tells what became of the groups of pictures, where not all of them were decoded.
    """

    progress: Progress
    troubles: dict[str, int]
    gaps: tuple[Gap, ...]
    error: str | None
    scan: tuple[GopRow, ...] = ()


class Reader:
    """Decodes one source once and cuts it into windows for every lane that it has a medium for.

    Raises SourceError when the source cannot be opened. A source that breaks off later gives
    what it held until then, and says so in its report. With a `scan` not all of it is decoded;
    pictures that were not are counted among the decoded ones and, for every lane, as gated.
    """

    def __init__(
        self,
        source: str,
        stream: str,
        lanes: Sequence[Lane],
        *,
        begin: Fraction = Fraction(0),
        scan: ScanSettings | None = None,
    ) -> None:
        self._exit = ExitStack()
        media = {lane.medium for lane in lanes}
        vectors = any(lane.vectors for lane in lanes)
        decoder = Decoder(source, stream, media=media, begin=begin, scan=scan, vectors=vectors)
        self._decoder = self._exit.enter_context(decoder)
        self.info: StreamInfo = self._decoder.info
        self.lanes = tuple(lane for lane in lanes if lane.medium in self.info.media)
        self.idle_lanes = tuple(lane for lane in lanes if lane.medium not in self.info.media)
        self._windowers = {lane.name: lane.make_windower(stream) for lane in self.lanes}
        self._held: dict[str, list[Window]] = {lane.name: [] for lane in self.lanes}
        self._decoded: Counter[str] = Counter()
        self._gaps: list[Gap] = []
        self._latest: dict[Medium, Frame | AudioChunk | Skipped] = {}
        self._error: str | None = None

    def cuts(self) -> Iterator[Cut]:
        """Batches of windows, each of one lane and at most that lane's batch long."""
        try:
            for item in self._items():
                yield from self._offer(item)
        except SourceError as error:
            self._error = str(error)
        for lane in self.lanes:
            yield from self._collect(lane, self._windowers[lane.name].flush())
            if self._held[lane.name]:
                yield self._cut(lane)

    def report(self) -> ReadReport:
        """How reading went; final once `cuts` is exhausted."""
        troubles = {
            f"{medium}_{kind}": count for (medium, kind), count in self._decoder.troubles.items()
        }
        gaps, scan = tuple(self._gaps), self._decoder.scanned
        return ReadReport(self._progress(), troubles, gaps, self._error, scan)

    def moved(self) -> int:
        """A number that changes as reading goes on, to be looked at from another thread."""
        return sum(self._decoded.values()) + sum(self._decoder.troubles.copy().values())

    def close(self) -> None:
        """Lets go of the source."""
        self._exit.close()

    def _items(self) -> Iterator[Item]:
        """What is read of the source: here all of it."""
        return self._decoder.items()

    def _offer(self, item: Item) -> Iterator[Cut]:
        medium: Medium = medium_of(item)
        if isinstance(item, Gap):
            self._gaps.append(item)
        else:
            self._decoded[medium] += units_of(item)
            self._latest[medium] = item
        for lane in self.lanes:
            if lane.medium == medium:
                yield from self._collect(lane, self._windowers[lane.name].push(item))

    def _collect(self, lane: Lane, windows: Iterable[Window]) -> Iterator[Cut]:
        held = self._held[lane.name]
        for window in windows:
            held.append(window)
            if len(held) == lane.batch:
                yield self._cut(lane)
                held = self._held[lane.name]

    def _cut(self, lane: Lane) -> Cut:
        windows, self._held[lane.name] = self._held[lane.name], []
        return Cut(lane.name, windows, self._progress())

    def _progress(self) -> Progress:
        # Exact times are dear, and asked for once a batch: the latest of a medium ends last.
        position = max((item.span.end for item in self._latest.values()), default=Fraction(0))
        cpu_s = self._decoder.cpu_s
        return Progress.of(position, self._decoded, self._windowers, decode_s=cpu_s)


def _sums(one: Mapping[str, Number], other: Mapping[str, Number]) -> dict[str, Number]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def medium_of(item: Item) -> Medium:
    """Whether it was seen or heard."""
    if isinstance(item, Gap):
        return item.medium
    return "audio" if isinstance(item, AudioChunk) else "video"


def units_of(item: Frame | AudioChunk | Skipped) -> int:
    """How many frames or samples it stands for in the books."""
    if isinstance(item, Frame):
        return 1
    return item.frames if isinstance(item, Skipped) else item.samples.shape[1]
