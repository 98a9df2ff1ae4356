"""The readers of live streams: started, asked for batches, and replaced when they die or hang."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from pipeline.measure.values import Metrics
from pipeline.redaction import redact
from pipeline.run.crew import Crew, WorkerDied
from pipeline.run.live.pressure import Pressure
from pipeline.run.live.reader import Beat, LiveReader
from pipeline.run.live.tended import Tended

STEP_S = 0.5
"""How long a reader may keep a call when it has nothing to give."""
HOLD_SHARE = 0.5
"""With a batch under way for this share of `max_lag_s`, more would only be late as well."""
STOP_S = 1.5
"""How long a reader may take to end by itself; FFmpeg may never return."""
DEAF_S = 3.0
STARTING_S = 30.0
OPENING_SLACK_S = 2.0


class Readers:
    """Tends the reader of each stream; at most `in_flight` batches of a stream are under way.

    `asked` are the calls to wait for, and whose each is; the `pressure` is theirs to be told.
    """

    def __init__(self, crew: Crew, in_flight: int, metrics: Metrics) -> None:
        self._crew = crew
        self._in_flight = in_flight
        self._metrics = metrics
        self.asked: dict[Any, Tended] = {}
        self.pressure = Pressure()

    def tend(self, stream: Tended, now: float, waiting: int = 0) -> None:
        """Starts the stream's reader when it is due, replaces one that hangs, and asks it."""
        if stream.worker is not None:
            self._watch(stream, now)
        elif now >= stream.due:
            self._start(stream, now)
        self.ask(stream, now, waiting)

    def ask(self, stream: Tended, now: float, waiting: int = 0) -> None:
        """Asks the reader for a batch, or now and then for a sign of life while there is no room.

        So many of its batches are `waiting` for a pool member. While the pool is busy, one of each
        lane does at most: what is in the reader is given up by its policy, what is in the pool has
        its turn come what may.
        """
        if stream.worker is None or stream.call is not None:
            return
        behind_s, lag_s = stream.behind_s(now), stream.plan.rules.max_lag_s
        prompt = lag_s is None or behind_s < HOLD_SHARE * lag_s
        room = stream.in_flight < self._in_flight and waiting < len(stream.plan.lanes)
        if prompt and room:
            method, wait_s = "step", STEP_S
        elif now - stream.asked_at > STEP_S:
            method, wait_s = "idle", 0.0
        else:
            return
        call = (stream.worker, method, wait_s, self.pressure.level(stream), self.pressure.rivals)
        beat, windows = self._crew.call(*call, parts=2)
        stream.call, stream.asked_at = (beat, windows), now
        self.asked[beat] = stream

    def due(self, stream: Tended) -> float:
        """When its reader is to be tended though it has said nothing."""
        if stream.worker is None:
            return stream.due
        return stream.asked_at + (STEP_S if stream.call is None else _patience_s(stream))

    def answered(self, ready: Iterable[Any]) -> list[Tended]:
        """The streams whose readers' answers are among these."""
        return [self.asked[call] for call in ready if call in self.asked]

    def heard(self, stream: Tended) -> tuple[Beat, Any] | None:
        """The answer that has come, with its windows; None when the reader is lost instead."""
        assert stream.call is not None
        (told, windows), stream.call = stream.call, None
        del self.asked[told]
        try:
            beat: Beat = self._crew.result(told)
        except WorkerDied as error:
            self.lose(stream, str(error), "reader_lost")
            return None
        except Exception as error:  # a defect of ours, in its process: the others go on
            self.lose(stream, f"its reader failed: {redact(f'{error!r:.300}')}", "reader_failed")
            return None
        stream.take(beat)
        self.pressure.weigh(stream)
        return beat, windows

    def restart(self, stream: Tended) -> None:
        """Replaces the reader at once."""
        if stream.worker is not None:
            self.lose(stream, "it was restarted on request", "reader_restarted")
        stream.due = 0.0

    def lose(self, stream: Tended, why: str, reason: str) -> None:
        """Ends the reader, whatever state it is in; the next one is due after a while."""
        self._kill(stream)
        self._metrics.add("readers_lost", stream.plan.name, reason)
        stream.lose(why, reason, time.monotonic())

    def stop(self, stream: Tended) -> None:
        """Lets the reader end by itself for a moment: what it has cut still comes."""
        stream.stop_by = time.monotonic() + STOP_S
        if stream.worker is not None:
            self._crew.call(stream.worker, "stop")

    def wind_up(self, stream: Tended, now: float) -> None:
        """Ends the reader of a stream that was stopped, once it has come to its end or is late."""
        assert stream.stop_by is not None
        late, ended = now > stream.stop_by, stream.beat is not None and stream.beat.ended
        if stream.worker is not None and (late or ended):
            self._kill(stream)
            stream.settle_reader("stopped")

    def close(self, streams: Iterable[Tended]) -> None:
        """Ends every reader at once."""
        for stream in streams:
            self._kill(stream)

    def _kill(self, stream: Tended) -> None:
        if stream.call is not None:
            self.asked.pop(stream.call[0], None)
        if stream.worker is not None:
            self._crew.kill(stream.worker)

    def _start(self, stream: Tended, now: float) -> None:
        plan = stream.plan
        make = partial(LiveReader, plan.address, plan.name, plan.lanes, plan.rules, stream.begin)
        try:
            stream.worker = self._crew.start("reader", plan.name, make)
        except WorkerDied as error:  # the one before still holds the stream
            stream.down, stream.due = str(error), now + STEP_S
            return
        stream.started_at = now

    def _watch(self, stream: Tended, now: float) -> None:
        """Ends a reader that does not answer, or to which nothing comes: it may hang for ever."""
        patience = _patience_s(stream)
        if stream.call is not None and now - stream.asked_at > patience:
            # An answer that lies there already was not looked at: then it is us who were late.
            if not self._crew.wait([stream.call[0]], 0):
                self.lose(stream, f"its reader did not answer for {patience:g} s", "reader_hung")
            return
        beat, address = stream.beat, stream.plan.address
        if beat is None:
            return
        if beat.state == "playing" and beat.silent_s > address.stall_s:
            self.lose(stream, f"nothing came for {address.stall_s:g} s", "stalled")
        elif beat.state == "opening" and (beat.silent_s > address.open_timeout_s + OPENING_SLACK_S):
            self.lose(stream, "its opening did not come to an end", "open_hung")


def _patience_s(stream: Tended) -> float:
    return DEAF_S if stream.beat else STARTING_S
