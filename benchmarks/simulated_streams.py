"""Simulated streams: what the metrics would be told of each, second by second."""

from __future__ import annotations

import time
from collections import Counter
from fractions import Fraction

from pipeline.cut import Progress
from pipeline.ledger import LaneBook, Ledger
from pipeline.measure.values import Metrics
from pipeline.media.address import LiveAddress
from pipeline.media.pulse import Reached
from pipeline.records import Digest, Medium, Span
from pipeline.run.live.figures import measure
from pipeline.run.live.reader import Beat
from pipeline.run.live.tended import StreamPlan, Tended

LANES: dict[str, Medium] = {"action": "video", "instances": "video", "sound": "audio"}
LABELS = {
    "action": ("walking_left", "walking_right", "parting", "gathering"),
    "instances": ("person",),
    "sound": ("speech", "impact", "alarm", "animal", "music"),
}
RATES = {"video": 25, "audio": 48_000}


class Stream:
    """A stream that plays, as the supervisor knows it; each second it has gone a second on."""

    def __init__(self, name: str, number: int) -> None:
        plan = StreamPlan(name, LiveAddress("rtsp", "rtsp://10.0.0.4/main"), ())
        self.name, self._number = name, number
        self.tended = Tended(plan, 0, worker=object())
        self.ledger = Ledger()
        self._seconds = 0

    def second(self) -> None:
        """Goes a second on: what a beat of its reader and an answer of its keeper would bring."""
        self._seconds += 1
        decoded = {medium: rate * self._seconds for medium, rate in RATES.items()}
        left_out = dict.fromkeys(LANES, 15 * self._seconds)
        dropped = {lane: {"lag": self._seconds // 20} for lane in LANES}
        spent = dict.fromkeys(RATES, 0.02 * self._seconds)
        progress = Progress(
            Fraction(self._seconds), decoded, left_out, left_out, dropped, decode_s=spent
        )
        beat = Beat(
            "playing",
            0.0,
            0.05,
            "",
            0,
            1,
            progress,
            dict.fromkeys(LANES, 0),
            Reached(),
            None,
            None,
            None,
            troubles={"video_corrupt_packet": self._seconds // 30},
            newest_at=time.time(),
        )
        self.tended.take(beat)
        lanes = {
            lane: LaneBook(
                "video" if medium == "video" else "audio",
                decoded[medium],
                9 * self._seconds,
                dropped=Counter(lag=self._seconds // 20),
                failed=Counter(RuntimeError=self._seconds // 50),
            )
            for lane, medium in LANES.items()
        }
        self.ledger = Ledger(Counter(decoded), lanes=lanes)

    def events(self) -> list[Digest]:
        """One of each lane every third second."""
        turn = self._seconds + self._number
        span = Span(Fraction(self._seconds), Fraction(self._seconds + 1))
        return [
            Digest(self.name, lane, span, labels[turn // 3 % len(labels)], 0.9, None)
            for lane, labels in LABELS.items()
            if turn % 3 == 0
        ]


def feed(metrics: Metrics, stream: Stream) -> float:
    """Tells the metrics of a stream's second, as keeping and supervisor do; CPU seconds."""
    events = stream.events()
    began = time.thread_time()
    for lane in LANES:
        metrics.settled(lane, 0.002, 0.001)
    metrics.wrote(events)
    metrics.written(stream.name, [0.4] * len(events))
    metrics.sink(stream.name, 0, failing=False, failures=0)
    measure(metrics, stream.tended, 0, stream.ledger, time.monotonic())
    return time.thread_time() - began
