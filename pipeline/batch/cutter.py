"""Into which units a video is cut: as little as can be known without decoding any of it."""

from __future__ import annotations

from fractions import Fraction

from pipeline.batch.job import BatchJob
from pipeline.batch.unit import Unit, cut
from pipeline.media.keys import longest_group
from pipeline.media.probe import probe
from pipeline.records import Medium, StreamInfo

ORDERLY = frozenset({"mov", "mp4", "matroska", "webm"})
"""Containers whose times start once and run on, so that any of them can be sought."""


class Cutter:
    """Looks at the header of a video, and cuts a long one.

    A video stays whole when it is scanned, when a lane is not divisible, and when its container
    allows its times to start anew on the way: what a time means is known there only to who has
    read all before it. So does one with few key frames, or without an index of them.
    """

    def __init__(self, job: BatchJob) -> None:
        lanes = job.lanes()
        self._each = job.segment_s
        self._media = {lane.medium for lane in lanes}
        self._divisible = job.scan is None and all(
            lane.divisible for lane in lanes if lane.medium == "video"
        )

    def units(self, unit: Unit) -> list[Unit]:
        """The video itself, or its parts. Raises SourceError when it cannot be opened."""
        if unit.video.trouble or not self._divisible or "video" not in self._media:
            return [unit]
        info = probe(unit.video.address)
        length = believed_length(info)
        if length is None or length < 2 * self._each or "video" not in info.media:
            return [unit]
        widest = longest_group(unit.video.address, length)
        if widest is None or widest > 2 * self._each:
            return [unit]  # each part would decode what lies before it once more
        media: set[Medium] = self._media.intersection(info.media)
        return cut(unit, media, length, self._each)


def believed_length(info: StreamInfo) -> Fraction | None:
    """How long a video claims to be, in seconds; None when that is not to be believed."""
    if not ORDERLY.intersection(info.container.split(",")):
        return None
    return info.duration_from_header
