"""The supervisor: streams as they are wanted against streams as they run.

One loop, which never waits for longer than a tick: it asks readers for batches, hands them to the
pool and the answers to the keeper, replaces whoever dies or hangs, and obeys who adds or removes
streams. Nothing in it looks at a pixel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pipeline.errors import ConfigError
from pipeline.lane import Lane
from pipeline.metrics import Metrics
from pipeline.run.backlog import Task
from pipeline.run.crew import Crew, WorkerDied
from pipeline.run.lasting import Lasting
from pipeline.run.live_keeper import Kept, LiveKeepers
from pipeline.run.live_pool import LivePool, nothing
from pipeline.run.live_reader import Beat, LiveReader
from pipeline.run.tended import StreamPlan, StreamStatus, Tended, unknown
from pipeline.run.workers import Step

TICK_S = 0.1
STEP_S = 0.5
"""How long a reader may keep a call when it has nothing to give."""
DEAF_S = 3.0
STARTING_S = 30.0
OPENING_SLACK_S = 2.0
NOTE_S = 1.0
STOP_S = 1.5
"""How long a reader may take to end by itself; FFmpeg may never return."""
SETTLE_S = 5.0
DRAIN_S = 9.0
KEEPER_CHECKPOINT_S = 1.0
KEEPER_HUNG_S = 8.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all streams share: lanes for the pool, its size, and where results go.

    `in_flight` batches of one stream may be under way at once. `max_wait_s` is how long, in media
    time, the timeline waits for a lane that has fallen silent.
    """

    lanes: tuple[Lane, ...]
    out: Path
    members: int = 1
    threads: int | None = None
    in_flight: int = 6
    max_wait_s: float | None = 2.0
    about: dict[str, Any] | None = None


class Supervisor:
    """Runs live streams until it is told to end; the methods marked so may be called by any thread.

    `tell` hears a line about every change of state that people want to know.
    """

    def __init__(
        self, crew: Crew, fleet: Fleet, metrics: Metrics, tell: Callable[[str], None]
    ) -> None:
        self._crew = crew
        self._fleet = fleet
        self._metrics = metrics
        self._tell = tell
        self._streams: dict[str, Tended] = {}
        self._wanted: dict[str, StreamPlan] = {}
        self._count = 0
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._keeper = Lasting(
            crew,
            "keeper",
            "0",
            LiveKeepers,
            checkpoint_s=KEEPER_CHECKPOINT_S,
            hung_s=KEEPER_HUNG_S,
            starting_s=STARTING_S,
        )
        self._pool = LivePool(
            crew, fleet.lanes, fleet.members, fleet.threads, metrics, self._settle
        )
        self._problem = ""

    def want(self, plan: StreamPlan) -> None:
        """Adds a stream, or changes it if it runs by another plan. Any thread."""
        self._orders.put(partial(self._want, plan))

    def drop(self, name: str) -> None:
        """Ends a stream; ConfigError when there is none. Any thread."""
        if name not in self._wanted:
            raise ConfigError(unknown(self._wanted, name))
        self._orders.put(partial(self._drop, name))

    def restart(self, name: str) -> None:
        """Replaces a stream's reader; ConfigError when there is none. Any thread."""
        if name not in self._wanted:
            raise ConfigError(unknown(self._wanted, name))
        self._orders.put(partial(self._restart, name))

    def statuses(self) -> list[StreamStatus]:
        """How every stream is. Any thread."""
        return [stream.status() for stream in list(self._streams.values())]

    def plans(self) -> dict[str, StreamPlan]:
        """The streams that are wanted. Any thread."""
        return dict(self._wanted)

    def run(self, ended: Callable[[], bool]) -> None:
        """Tends the streams until `ended`; then drains within ten seconds and ends everything."""
        try:
            while not ended():
                self.tick()
            self.drain()
        finally:
            self.close()

    @property
    def ready(self) -> bool:
        """True once the networks are loaded; until then no stream is read."""
        return self._pool.ready

    def tick(self) -> None:
        """One round; waits for a tick at the longest."""
        with suppress(Empty):
            while True:
                self._orders.get_nowait()()
        now = time.monotonic()
        for stream in list(self._streams.values()):
            self._tend(stream, now)
        self._pool.dispatch()
        self._listen()

    def _want(self, plan: StreamPlan) -> None:
        before = self._wanted.get(plan.name)
        self._wanted[plan.name] = plan
        if before is None and plan.name not in self._streams:
            self._begin(plan)
        elif before is not None and before != plan:
            self._stop(self._streams[plan.name])

    def _drop(self, name: str) -> None:
        self._wanted.pop(name, None)
        if name in self._streams:
            self._stop(self._streams[name])

    def _restart(self, name: str) -> None:
        stream = self._streams.get(name)
        if stream is not None and stream.worker is not None:
            self._lose(stream, "it was restarted on request", "reader_restarted")
            stream.due = 0.0

    def _begin(self, plan: StreamPlan) -> None:
        stream = Tended(plan, self._count % self._fleet.members)
        self._count += 1
        self._streams[plan.name] = stream
        self._pool.share(plan.name, plan.weight, priority=plan.priority)
        self._keeper.call(
            "open",
            plan.name,
            plan.lanes,
            self._fleet.out / plan.name,
            self._fleet.max_wait_s,
            {"source": plan.address.shown, **(self._fleet.about or {})},
            answered=nothing,
            given_up=partial(self._keeper_failed, plan.name),
        )
        self._keeper.checkpoint_soon()

    def _stop(self, stream: Tended) -> None:
        """Lets its reader end by itself for a moment, then ends it."""
        if stream.stop_by is None:
            stream.stop_by = time.monotonic() + STOP_S
            if stream.worker is not None:
                self._crew.call(stream.worker, "stop")

    def _tend(self, stream: Tended, now: float) -> None:
        if stream.closing:
            return
        if stream.stop_by is not None:
            self._wind_up(stream, now)
        elif stream.worker is None and now >= stream.due and self._pool.ready:
            self._start_reader(stream, now)
        elif stream.worker is not None:
            self._watch(stream, now)
        if stream.worker is not None and stream.call is None:
            self._ask(stream, now)
        self._show(stream, now)

    def _start_reader(self, stream: Tended, now: float) -> None:
        plan = stream.plan
        make = partial(LiveReader, plan.address, plan.name, plan.lanes, plan.rules, stream.begin)
        try:
            stream.worker = self._crew.start("reader", plan.name, make)
        except WorkerDied as error:  # the one before still holds the stream
            stream.down, stream.due = str(error), now + STEP_S
            return
        stream.started_at = now

    def _ask(self, stream: Tended, now: float) -> None:
        assert stream.worker is not None
        room = stream.in_flight < self._fleet.in_flight
        beat, windows = self._crew.call(stream.worker, "step" if room else "idle", STEP_S, parts=2)
        stream.call = (beat, windows)
        stream.asked_at = now

    def _watch(self, stream: Tended, now: float) -> None:
        """Ends a reader that does not answer, or to which nothing comes: it may hang for ever."""
        patience = DEAF_S if stream.beat else STARTING_S
        if stream.call is not None and now - stream.asked_at > patience:
            self._lose(stream, f"its reader did not answer for {patience:g} s", "reader_hung")
            return
        beat, address = stream.beat, stream.plan.address
        if beat is None:
            return
        if beat.state == "playing" and beat.silent_s > address.stall_s:
            self._lose(stream, f"nothing came for {address.stall_s:g} s", "stalled")
        elif beat.state == "opening" and (beat.silent_s > address.open_timeout_s + OPENING_SLACK_S):
            self._lose(stream, "its opening did not come to an end", "open_hung")

    def _lose(self, stream: Tended, why: str, reason: str) -> None:
        if stream.worker is not None:
            self._crew.kill(stream.worker)
        self._metrics.reader_lost(stream.plan.name, reason)
        stream.lose(why, reason, time.monotonic())

    def _wind_up(self, stream: Tended, now: float) -> None:
        assert stream.stop_by is not None
        if stream.worker is not None and (
            now > stream.stop_by or (stream.beat is not None and stream.beat.ended)
        ):
            self._crew.kill(stream.worker)
            stream.settle_reader("stopped")
        if stream.worker is None and (not stream.in_flight or now > stream.stop_by + SETTLE_S):
            stream.closing = True
            self._keeper.call(
                "finish",
                stream.plan.name,
                stream.note(),
                answered=partial(self._finished, stream),
                given_up=partial(self._gone, stream),
            )
            self._pool.forget(stream.plan.name)

    def _listen(self) -> None:
        asked = {
            stream.call[0]: stream for stream in self._streams.values() if stream.call is not None
        }
        calls = [*asked, *self._keeper.waits_for(), *self._pool.waits_for()]
        if not calls:
            time.sleep(TICK_S)
            return
        ready = set(self._crew.wait(calls, TICK_S))
        for call in ready.intersection(asked):
            self._heard(asked[call])
        self._pool.tick(ready)
        self._keeper.tick(ready)

    def _heard(self, stream: Tended) -> None:
        assert stream.call is not None
        (told, windows), stream.call = stream.call, None
        try:
            beat: Beat = self._crew.result(told)
        except WorkerDied as error:
            self._lose(stream, str(error), "reader_lost")
            return
        except Exception as error:  # a defect of ours, in its process: the others go on
            self._lose(stream, f"its reader failed: {error!r}", "reader_failed")
            return
        stream.take(beat)
        if beat.ended and stream.stop_by is None:
            self._wanted.pop(stream.plan.name, None)
            self._stop(stream)
        if beat.marks:
            stream.in_flight += 1
            step = Step(beat.lane, beat.marks, beat.progress)
            self._pool.add(Task(stream.plan.name, stream.home, step, windows))

    def _settle(self, name: str, lane: str, answers: Any) -> None:
        self._keeper.call(
            "settle",
            name,
            lane,
            answers,
            answered=partial(self._settled, name),
            given_up=partial(self._keeper_failed, name),
        )

    def _settled(self, name: str, calls: list[Any]) -> None:
        stream = self._streams.get(name)
        if stream is not None:
            stream.in_flight -= 1
        self._noted(name, calls)

    def _noted(self, name: str, calls: list[Any]) -> None:
        kept: Kept = self._crew.result(calls[0])
        if kept.problem != self._problem:
            self._problem = kept.problem
            self._tell(kept.problem or "outputs can be written again")
        self._metrics.wrote(kept.digests)
        self._metrics.written(name, kept.delays_s)
        self._metrics.books(name, kept.ledger)

    def _keeper_failed(self, name: str) -> None:
        stream = self._streams.get(name)
        if stream is not None and stream.in_flight:
            stream.in_flight -= 1
        self._tell(f"{name}: a call of the keeper failed twice and was given up")

    def _finished(self, stream: Tended, calls: list[Any]) -> None:
        self._noted(stream.plan.name, calls)
        self._gone(stream)

    def _gone(self, stream: Tended) -> None:
        name = stream.plan.name
        del self._streams[name]
        self._metrics.forget(name)
        self._tell(f"{name}: ended")
        if name in self._wanted:
            self._begin(self._wanted[name])

    def _show(self, stream: Tended, now: float) -> None:
        """Tells people, metrics and the keeper how the stream is, when it changed or is due."""
        state = stream.state
        changed = state != stream.shown
        if changed:
            stream.shown, stream.shown_since = state, now
            self._tell(": ".join(part for part in (stream.plan.name, *state) if part))
        if changed or stream.gaps or now - stream.noted_at > NOTE_S:
            stream.noted_at = now
            self._metrics.stream(stream.status())
            self._metrics.read(stream.plan.name, stream.progress)
            if not stream.closing:
                self._keeper.call(
                    "note",
                    stream.plan.name,
                    stream.note(),
                    answered=partial(self._noted, stream.plan.name),
                    given_up=partial(self._keeper_failed, stream.plan.name),
                )

    def drain(self) -> None:
        """Ends all streams in order, for so long as there is time."""
        until = time.monotonic() + DRAIN_S
        self._wanted.clear()
        for stream in self._streams.values():
            self._stop(stream)
        while self._streams and time.monotonic() < until:
            self.tick()

    def close(self) -> None:
        """Ends every process at once."""
        self._keeper.close()
        self._pool.close()
        for stream in self._streams.values():
            if stream.worker is not None:
                self._crew.kill(stream.worker)
