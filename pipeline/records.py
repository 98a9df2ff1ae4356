"""The nouns: plain, frozen data that every part of the pipeline shares and that imports nothing.

Times are exact: seconds of media time as `Fraction`, never a float before a sink prints it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Medium = Literal["video", "audio"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open stretch of media time `[start, end)` in exact seconds; may be empty."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        if self.end < self.start:
            message = f"a span ends ({self.end} s) before it starts ({self.start} s)"
            raise ValueError(message)

    @property
    def duration(self) -> Fraction:
        """Its length in exact seconds, 0 or more."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """True when some instant lies in both."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a source's header claims of its pictures; sizes as shown, after rotation."""

    codec: str
    width: int
    height: int
    time_base: Fraction
    rate_from_header: Fraction | None
    rotation_degrees: int = 0


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a source's header claims of its sound."""

    codec: str
    sample_rate: int
    channels: int
    layout: str
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a source's header claims; `source` is safe to print (passwords removed)."""

    stream: str
    source: str
    container: str
    video: VideoInfo | None
    audio: AudioInfo | None
    duration_from_header: Fraction | None

    @property
    def media(self) -> tuple[Medium, ...]:
        """The media that it has, video first."""
        video: tuple[Medium, ...] = ("video",) if self.video else ()
        audio: tuple[Medium, ...] = ("audio",) if self.audio else ()
        return video + audio


class Pixels(Protocol):
    """A decoded picture that is converted only when somebody wants to see it."""

    @property
    def width(self) -> int:
        """Pixels across, as shown (after rotation)."""

    @property
    def height(self) -> int:
        """Pixels down, as shown (after rotation)."""

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width, 3) RGB, converted and scaled in one step, once per wanted size."""

    def luma(self, least_px: int) -> NDArray[np.uint8]:
        """(h, w) brightness as shown, halved while it stays at least `least_px` across."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture at its exact time; `index` counts the decoded frames of the stream.

    `read_bytes` is what all pictures but key frames took so far, of this connection; `moving` the
    share of the picture that moves, where motion vectors are read and it has some.
    """

    index: int
    pts: int
    duration: int
    time_base: Fraction
    pixels: Pixels
    read_bytes: int = 0
    moving: float | None = None

    @property
    def span(self) -> Span:
        """When it is shown; each end is converted once."""
        start = self.pts * self.time_base
        return Span(start, (self.pts + self.duration) * self.time_base)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Pictures that were passed over undecoded, because nothing changes in them, in a row.

    They are counted as their packets are, and stand in the books like frames that a gate withheld.
    """

    span: Span
    frames: int


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Decoded sound: float32 (channels, samples) in [-1, 1].

    `origin` is the media time of sample 0 of this unbroken run of sound, `first_sample` the
    number of this chunk's first sample within that run. A gap or a reset starts a new run.
    """

    origin: Fraction
    first_sample: int
    sample_rate: int
    samples: NDArray[np.float32]

    @property
    def span(self) -> Span:
        """When it sounds."""
        end = self.first_sample + self.samples.shape[1]
        return Span(
            self.origin + Fraction(self.first_sample, self.sample_rate),
            self.origin + Fraction(end, self.sample_rate),
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of media time for which a medium brought nothing: an outage, a jump of pts."""

    medium: Medium
    span: Span
    reason: str


Item = Frame | AudioChunk | Gap | Skipped
"""What decoding gives."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which window this is: all that is kept of it once the pixels are gone.

    `index` counts the windows of its stream and lane from 0, without holes. `units` is how many
    decoded frames or source samples the window accounts for in the ledger. `size` is (width,
    height) of the source frame in px, for windows of pictures. `fresh` says that something is
    missing between the window before and this one: cached state is void. `gated` is the stretch
    before it in which a gate let through no more than heartbeats, because nothing changed.
    """

    stream: str
    lane: str
    index: int
    span: Span
    units: int
    size: tuple[int, int] | None = None
    fresh: bool = False
    gated: Span | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What a predictor sees: a picture (H, W, 3) uint8, or mono samples (n,) float32."""

    mark: Mark
    data: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Rle:
    """A mask as COCO run lengths, compressed: column-major, the first run is background."""

    height: int
    width: int
    counts: str


@dataclass(frozen=True, slots=True)
class InstanceMask:
    """One thing in one frame. `box` is x1 y1 x2 y2 in px of the source frame."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    rle: Rle
    track_id: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network said of one window: scores, or the instances found in its picture.

    `scores` is (K, classes) in 0..1, one row for each of the K steps that the lane's network
    makes in the window's span (one row for a picture).
    """

    mark: Mark
    scores: NDArray[np.float32] | None = None
    instances: tuple[InstanceMask, ...] = ()


@dataclass(frozen=True, slots=True)
class Feature:
    """What a frame CNN saw in one window (F,), before the network that reads frames in order."""

    mark: Mark
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Failure:
    """A window that a predictor could not answer, and why; the ledger counts it."""

    mark: Mark
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """What a lane claims happened, when, how surely (0..1), and by which network.

    `decided` is where the window ends that made it certain; it is no part of what is claimed.
    """

    stream: str
    lane: str
    span: Span
    label: str
    score: float
    model: str
    model_sha256: str
    instance: InstanceMask | None = None
    decided: Fraction | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Digest:
    """An event without its mask: what the console and the metrics want to know."""

    stream: str
    lane: str
    span: Span
    label: str
    score: float
    track_id: int | None

    @property
    def id(self) -> str:
        """Which event of its stream: its lane, start and track as its row in the results has them.

        Stable: the same for the same event in every run.
        """
        track = "" if self.track_id is None else f":{self.track_id}"
        return f"{self.lane}:{round(float(self.span.start), 6)}{track}"

    @classmethod
    def of(cls, event: Event) -> Digest:
        """The small form of an event."""
        track = event.instance.track_id if event.instance else None
        return cls(event.stream, event.lane, event.span, event.label, event.score, track)
