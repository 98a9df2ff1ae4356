"""In how many passes a video is read: in one; or its sound first, when that wakes its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from pipeline.cut import Progress, ReadReport
from pipeline.errors import SourceUnreadable
from pipeline.lane import Lane
from pipeline.media.scan import ScanSettings
from pipeline.records import Event, Failure, Prediction, Span, StreamInfo
from pipeline.settle import Settler

Lanes = tuple[Lane, ...]


def passes_over(info: StreamInfo, lanes: Lanes, scan: ScanSettings | None) -> list[Lanes]:
    """The lanes of each pass; SourceUnreadable when there is nothing for any of them."""
    known = tuple(lane for lane in lanes if lane.medium in info.media)
    if not known:
        wanted = " or ".join(sorted({lane.medium for lane in lanes}))
        message = f"{info.source} has no {wanted}"
        raise SourceUnreadable(message)
    if scan is None:
        return [known]
    sound = tuple(lane for lane in known if lane.medium == "audio")
    sight = tuple(lane for lane in known if lane.medium == "video")
    return [lanes for lanes in (sound, sight) if lanes]


class Heard:
    """When something was heard in the pass before the pictures: they are decoded there."""

    def __init__(self, stream: str, passes: Sequence[Lanes]) -> None:
        sound = passes[0] if len(passes) > 1 else ()
        self._settler = Settler(stream, sound, [])
        self._lanes = {lane.name for lane in sound}
        self._events: list[Event] = []

    def take(self, lane: str, answers: Iterable[Prediction | Failure]) -> None:
        """Takes what a network said; pictures are none of its business."""
        if lane in self._lanes:
            self._events += self._settler.settle(lane, answers)

    def wakes(self, lanes: Lanes, scan: ScanSettings | None) -> ScanSettings | None:
        """The scan of a pass over these lanes; None for sound, which is heard whole."""
        if scan is None or all(lane.medium == "audio" for lane in lanes):
            return None
        nothing = ReadReport(Progress.nothing(), {}, (), None)
        events = [*self._events, *(self._settler.finish(nothing) if self._lanes else [])]
        spans = sorted({event.span for event in events}, key=_start)
        return replace(scan, wake=tuple(spans))


class Starts:
    """A sink that keeps when events of pictures began: what an audit needs to know of them."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = {lane.name for lane in lanes if lane.medium == "video"}
        self._spans: dict[Fraction, Span] = {}

    @property
    def spans(self) -> list[Span]:
        """One for each moment at which something began."""
        return list(self._spans.values())

    def write(self, event: Event) -> None:
        """Takes an event."""
        if event.lane in self._lanes:
            self._spans.setdefault(event.span.start, event.span)

    def close(self) -> None:
        """Nothing: there is no file."""

    def abandon(self) -> None:
        """Nothing: there is no file."""


def joined(reports: Sequence[ReadReport]) -> ReadReport:
    """The reports of several passes over one video, as one."""
    progress = Progress.nothing()
    troubles: Counter[str] = Counter()
    for report in reports:
        progress = report.progress.after(progress)
        troubles.update(report.troubles)
    return ReadReport(
        progress,
        dict(troubles),
        tuple(gap for report in reports for gap in report.gaps),
        next((report.error for report in reports if report.error), None),
        tuple(row for report in reports for row in report.scan),
    )


def _start(span: Span) -> tuple[float, float]:
    return float(span.start), float(span.end)
