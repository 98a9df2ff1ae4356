"""Windows from what is decoded: sampled pictures, and hops of sound without overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.lane import Gate
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import Throttle
from pipeline.records import AudioChunk, Frame, Gap, Item, Mark, Skipped, Span, Window

Fit = Callable[[int, int], tuple[int, int]]


def fit_exactly(width: int, height: int) -> Fit:
    """A size rule: always `width` x `height`, whatever the source's shape."""
    return partial(_exactly, (width, height))


def fit_short_side(short_px: int) -> Fit:
    """A size rule: the short side at most `short_px`, the shape kept, never enlarged."""
    return partial(_short_side, short_px)


def _exactly(size: tuple[int, int], _width: int, _height: int) -> tuple[int, int]:
    return size


def _short_side(short_px: int, width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, short_px / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class FrameWindower:
    """One window for each frame that is let through, converted and scaled once.

    First the sampler chooses, then the throttle, if there is overload, then the gate. The first
    frame of all and the first after a Gap pass the gate whatever it says. Pictures that were passed
    over undecoded count as gated, whether or not the sampler would have chosen them.
    """

    def __init__(
        self,
        stream: str,
        lane: str,
        sampler: RateSampler,
        fit: Fit,
        *,
        throttle: Throttle | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._stream = stream
        self._lane = lane
        self._sampler = sampler
        self._fit = fit
        self._throttle = throttle
        self._gate = gate
        self._index = 0
        self._fresh = True
        self._not_sampled = 0
        self._throttled = 0
        self._gated = 0
        self._still = Stillness()

    @property
    def pending_units(self) -> int:
        """Always 0: a frame is decided on at once."""
        return 0

    @property
    def not_sampled(self) -> int:
        """How many frames the sampler passed over."""
        return self._not_sampled

    @property
    def gated(self) -> int:
        """How many frames the gate has withheld."""
        return self._gated

    @property
    def gated_span(self) -> Span | None:
        """The latest stretch in which the gate let through no more than heartbeats."""
        return self._still.span

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many sampled frames were given up because of overload."""
        return {"lower_rate": self._throttled} if self._throttled else {}

    def set_level(self, level: int) -> None:
        """Keeps one in 2^`level` of the sampled frames from now on."""
        if self._throttle is not None:
            self._throttle.set_level(level)

    def push(self, item: Item) -> Iterator[Window]:
        """The window of this frame, if it is sampled."""
        if isinstance(item, Gap):
            self._fresh = True
            self._still.interrupted()
            return
        if isinstance(item, Skipped):
            self._gated += item.frames
            self._still.withheld(item.span)
            return
        if not isinstance(item, Frame):
            message = f"lane {self._lane} watches pictures and was given {type(item).__name__}"
            raise TypeError(message)
        if not self._sampler.wants(item.span.start):
            self._not_sampled += 1
            return
        if self._throttle is not None and not self._throttle.wants(item.span.start):
            self._throttled += 1
            return
        if not self._passes(item):
            self._gated += 1
            self._still.withheld(item.span)
            return
        size = (item.pixels.width, item.pixels.height)
        picture = item.pixels.rgb(*self._fit(*size))
        still = self._still.passed(item.span)
        mark = Mark(self._stream, self._lane, self._index, item.span, 1, size, self._fresh, still)
        self._index += 1
        self._fresh = False
        yield Window(mark, picture)

    def flush(self) -> Iterator[Window]:
        """Nothing: a frame is decided on at once."""
        yield from ()

    def _passes(self, frame: Frame) -> bool:
        return self._gate is None or self._gate.wants(frame) or self._fresh


class Stillness:
    """Joins withheld frames to stretches: a lone frame that passes between them is a heartbeat."""

    def __init__(self) -> None:
        self.span: Span | None = None
        self._goes_on = False
        self._untold = False

    def withheld(self, frame: Span) -> None:
        """Takes a frame that the gate withheld."""
        start = self.span.start if self.span is not None and self._goes_on else frame.start
        self.span = Span(start, frame.end)
        self._goes_on = self._untold = True

    def passed(self, frame: Span) -> Span | None:
        """The stretch that this frame ends, from its first withheld frame on; often none."""
        if not self._untold or self.span is None:
            self._goes_on = False
            return None
        self._untold = False
        if self._goes_on:
            self.span = Span(self.span.start, max(self.span.end, frame.start))
        return self.span

    def interrupted(self) -> None:
        """Ends the stretch where it is: of an outage nobody knows whether all was still."""
        self._goes_on = False


class MonoResampler(Protocol):
    """What turns decoded sound into mono at the lane's rate."""

    def push(self, chunk: AudioChunk) -> list[AudioChunk]:
        """The resampled chunks that are ready."""

    def flush(self) -> list[AudioChunk]:
        """What was still inside."""


class HopWindower:
    """Hops of mono sound at the lane's rate; the last hop of a run is padded with silence.

    The span of a padded hop ends where the sound ends. `units` are samples as decoded, so that
    the books close in the source's own count: a hop accounts for the source samples up to its
    end, and a remainder shorter than one sample at the lane's rate counts as not sampled.
    """

    def __init__(
        self, stream: str, lane: str, resampler: MonoResampler, sample_rate: int, hop_samples: int
    ) -> None:
        self._stream = stream
        self._lane = lane
        self._resampler = resampler
        self._rate = sample_rate
        self._hop = hop_samples
        self._index = 0
        self._not_sampled = 0
        self._held = np.zeros(0, np.float32)
        self._start_run(None, sample_rate)

    @property
    def pending_units(self) -> int:
        """Source samples taken in that no window accounts for yet."""
        return self._offered - self._accounted

    @property
    def not_sampled(self) -> int:
        """Source samples too few, at the end of a run, to make one sample at the lane's rate."""
        return self._not_sampled

    @property
    def gated(self) -> int:
        """Always 0: sound has no gate."""
        return 0

    @property
    def gated_span(self) -> Span | None:
        """None: sound has no gate."""
        return None

    @property
    def dropped(self) -> Mapping[str, int]:
        """Nothing: sound is heard whole, or what waits of it is dropped elsewhere."""
        return {}

    def set_level(self, level: int) -> None:
        """Nothing: the network must hear every sample."""

    def push(self, item: Item) -> Iterator[Window]:
        """The hops that this chunk completes."""
        if isinstance(item, Gap):
            yield from self.flush()
            return
        if not isinstance(item, AudioChunk):
            message = f"lane {self._lane} listens and was given {type(item).__name__}"
            raise TypeError(message)
        if item.origin != self._origin or item.sample_rate != self._source_rate:
            yield from self.flush()
            self._start_run(item.origin, item.sample_rate)
        self._offered += item.samples.shape[1]
        for chunk in self._resampler.push(item):
            yield from self._take(chunk.samples[0])

    def flush(self) -> Iterator[Window]:
        """The rest of the run, its last hop padded."""
        for chunk in self._resampler.flush():
            yield from self._take(chunk.samples[0])
        if self._held.size:
            padded = np.zeros(self._hop, np.float32)
            padded[: self._held.size] = self._held
            yield self._window(padded, self._held.size)
        self._not_sampled += self.pending_units
        self._start_run(None, self._source_rate)

    def _start_run(self, origin: Fraction | None, source_rate: int) -> None:
        self._origin = origin
        self._source_rate = source_rate
        self._offered = 0
        self._accounted = 0
        self._done = 0
        self._held = np.zeros(0, np.float32)
        self._fresh = True

    def _take(self, samples: NDArray[np.float32]) -> Iterator[Window]:
        joined = np.concatenate([self._held, samples])
        whole = joined.size // self._hop * self._hop
        for first in range(0, whole, self._hop):
            yield self._window(joined[first : first + self._hop].copy(), self._hop)
        self._held = joined[whole:].copy()

    def _window(self, samples: NDArray[np.float32], sounding: int) -> Window:
        origin = self._origin if self._origin is not None else Fraction(0)
        start = origin + Fraction(self._done, self._rate)
        self._done += sounding
        reached = min(
            self._offered, math.ceil(Fraction(self._done * self._source_rate, self._rate))
        )
        units = reached - self._accounted
        self._accounted = reached
        # Resampling rounds the number of samples up; nothing sounds after the source's last one.
        end = min(Fraction(self._done, self._rate), Fraction(self._offered, self._source_rate))
        span = Span(start, max(start, origin + end))
        mark = Mark(self._stream, self._lane, self._index, span, units, None, self._fresh)
        self._index += 1
        self._fresh = False
        return Window(mark, samples)
