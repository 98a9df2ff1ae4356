"""Lanes that tell which frame or second they were shown: one event a window, so all can be counted.

Plain code without weights; they travel to pool members as any lane does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

import numpy as np

from pipeline.lane import Lane, Stateless
from pipeline.lanes.gate import MotionGateConfig
from pipeline.lanes.instances import JUST_AFTER_S
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import Throttle
from pipeline.lanes.windowing import FrameWindower, HopWindower, fit_exactly
from pipeline.media.audio import Resampler
from pipeline.records import Event, Failure, Prediction, Window
from pipeline.testing import plain_card
from tests.live.barcode import frame_number, tone_onsets

CARD = plain_card("barcode", ("number",))
SOUND_HZ = 16_000


def number_lane(
    name: str = "numbers",
    *,
    rate_hz: float = 1000.0,
    batch: int = 8,
    gated: bool = False,
    cost_s: float = 0.0,
) -> Lane:
    """Watches: the number that each frame carries; `unread` where it cannot be read.

    A frame costs `cost_s` of a core on top, as a network's work would.
    """
    return Lane(
        name=name,
        medium="video",
        pinned=False,
        batch=batch,
        make_windower=partial(_frames, name, rate_hz, gated),
        make_predictor=partial(NumberPredictor, cost_s),
        make_aggregator=partial(OneEach, lane=name),
        card=CARD,
    )


def tone_lane(name: str = "tones", *, hop_s: float = 0.5, batch: int = 4) -> Lane:
    """Listens: each tone's second, as an event that begins at its onset."""
    return Lane(
        name=name,
        medium="audio",
        pinned=True,
        batch=batch,
        make_windower=partial(_sound, name, int(hop_s * SOUND_HZ)),
        make_predictor=TonePredictor,
        make_aggregator=partial(OneEach, lane=name),
        card=CARD,
    )


def _frames(lane: str, rate_hz: float, gated: bool, stream: str) -> FrameWindower:
    gate = MotionGateConfig().build()() if gated else None
    sampler, throttle = RateSampler(rate_hz), Throttle(rate_hz)
    return FrameWindower(stream, lane, sampler, fit_exactly(320, 180), throttle=throttle, gate=gate)


def _sound(lane: str, hop: int, stream: str) -> HopWindower:
    return HopWindower(stream, lane, Resampler(SOUND_HZ), SOUND_HZ, hop)


class NumberPredictor(Stateless):
    """Reads bar codes."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self._cost_s = cost_s

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """One row of one score a window: its number, or -1."""
        return [self._read(window) for window in windows]

    def _read(self, window: Window) -> Prediction:
        until = time.process_time() + self._cost_s
        number = frame_number(window.data)
        while time.process_time() < until:
            pass
        told = -1 if number is None else number
        return Prediction(window.mark, scores=np.array([[told]], np.float32))


class TonePredictor:
    """Finds tones, with the sound of the hop before in hand: a tone may begin at a hop's end."""

    def __init__(self) -> None:
        self._before: dict[str, np.ndarray] = {}

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """Rows of (second, onset in s from the window's start, may be below 0) a window."""
        return [self._hear(window) for window in windows]

    def forget(self, stream: str) -> None:
        """Drops a stream's last hop."""
        self._before.pop(stream, None)

    def remember(self) -> dict[str, np.ndarray]:
        """The last hop of each stream."""
        return dict(self._before)

    def recall(self, known: dict[str, np.ndarray]) -> None:
        """Goes on from these hops."""
        self._before = dict(known)

    def _hear(self, window: Window) -> Prediction:
        mark = window.mark
        before = None if mark.fresh else self._before.get(mark.stream)
        self._before[mark.stream] = window.data
        sound = window.data if before is None else np.concatenate([before, window.data])
        shift = 0.0 if before is None else before.size / SOUND_HZ
        # A tone belongs to the first pair of hops that holds 0.3 s after its beginning.
        latest = sound.size / SOUND_HZ - 0.3
        found = [
            (second, onset - shift)
            for onset, second in tone_onsets(sound, SOUND_HZ)
            if latest - window.data.size / SOUND_HZ < onset <= latest
        ]
        return Prediction(mark, scores=np.array(found, np.float32).reshape(-1, 2))


class OneEach:
    """An event for each row of a prediction; its label is the number."""

    def __init__(self, stream: str, lane: str) -> None:
        self._stream = stream
        self._lane = lane
        self._watermark: Fraction | None = None

    @property
    def watermark(self) -> Fraction | None:
        """Just after the end of the last window: the next one's events end later."""
        return self._watermark

    def push(self, answer: Prediction | Failure) -> Iterator[Event]:
        """The events of this window; a failed one is called so."""
        span = answer.mark.span
        self._watermark = span.end + JUST_AFTER_S
        rows = [[-2.0]] if isinstance(answer, Failure) else answer.scores
        assert rows is not None
        for row in rows:
            number = int(row[0])
            label = {-1: "unread", -2: "failed"}.get(number, str(number))
            score = 1.0 if len(row) == 1 else float(row[1])
            yield Event(self._stream, self._lane, span, label, score, CARD.name, CARD.sha256)

    def still(self, until: Fraction) -> None:
        """Nothing happens until then."""
        self._watermark = max(until, self._watermark or until)

    def flush(self) -> Iterator[Event]:
        """Nothing: no event outlives its window."""
        yield from ()
