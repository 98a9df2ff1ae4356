"""The supervisor: streams as they are wanted against streams as they run.

One loop, which never waits for longer than a tick: it asks readers for batches, hands them to the
pool and the answers to the keepers, replaces whoever dies or hangs, and obeys who adds or removes
streams. It looks at streams of which something came or whose time has come, and leaves the others
alone. Nothing in it looks at a pixel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pipeline.measure.values import Metrics
from pipeline.records import Mark
from pipeline.run.backlog import Task
from pipeline.run.crew import Crew
from pipeline.run.live.agenda import Agenda
from pipeline.run.live.earlier import Looks
from pipeline.run.live.figures import measure
from pipeline.run.live.fleet import Fleet
from pipeline.run.live.keeping import Keeping
from pipeline.run.live.pool import LivePool
from pipeline.run.live.reader import Begin
from pipeline.run.live.readers import Readers
from pipeline.run.live.tended import StreamPlan, StreamStatus, Tended
from pipeline.run.live.wanted import Wanted
from pipeline.run.workers import Step

TICK_S = 0.1
NOTE_S = 1.0
SETTLE_S = 3.5
DRAIN_S = 6.0
CHANGED = "its settings were changed"


class Supervisor:
    """Runs live streams until it is told to end; the methods marked so may be called by any thread.

    `tell` hears a line about every change of state that people want to know.
    """

    def __init__(
        self, crew: Crew, fleet: Fleet, metrics: Metrics, tell: Callable[[str], None]
    ) -> None:
        self._crew = crew
        self._fleet = fleet
        metrics.runs(crew.engine, fleet.lanes)
        self._metrics = metrics
        self._tell = tell
        self._streams: dict[str, Tended] = {}
        self._looks = Looks()
        self._wanted = Wanted()
        self._agenda = Agenda()
        self._count = 0
        self._ticked_at = time.monotonic()
        self._readers = Readers(crew, fleet.in_flight, metrics)
        self._pressure = self._readers.pressure
        self._keeping = Keeping(crew, metrics, tell, self._settled, fleet.keepers)
        self._pool = LivePool(
            crew,
            fleet.lanes,
            fleet.members,
            fleet.threads,
            metrics,
            self._settle,
            spare=fleet.spare,
        )

    def want(self, plan: StreamPlan, *, new: bool = False) -> None:
        """Adds a stream, or changes it if it runs by another plan. Any thread.

        ConfigError when it is `new` and another one has its name, or when everything is ending.
        """
        self._wanted.want(plan, new=new)

    def drop(self, name: str) -> None:
        """Ends a stream; ConfigError when there is none. Any thread."""
        self._wanted.drop(name)

    def restart(self, name: str) -> None:
        """Replaces a stream's reader; ConfigError when there is none. Any thread."""
        self._wanted.restart(name)

    def statuses(self) -> list[StreamStatus]:
        """How every stream is. Any thread."""
        return [stream.status() for stream in list(self._streams.values())]

    def plans(self) -> dict[str, StreamPlan]:
        """The streams that are wanted. Any thread."""
        return self._wanted.plans()

    @property
    def silent_s(self) -> float:
        """How long ago its latest round began; more than some seconds is a defect. Any thread."""
        return time.monotonic() - self._ticked_at

    def run(self, ended: Callable[[], bool]) -> list[str]:
        """The streams that could not be settled in time, once `ended` and everything has ended.

        The drain takes less than ten seconds, whoever hangs.
        """
        try:
            while not ended():
                self.tick()
            self.drain()
            return sorted(self._streams)
        finally:
            self.close()

    @property
    def ready(self) -> bool:
        """True once the networks are loaded; until then no stream is read."""
        return self._pool.ready

    def tick(self) -> None:
        """One round; waits for a tick at the longest."""
        now = self._ticked_at = time.monotonic()
        self._reconcile()
        self._pressure.govern(now)
        for name in self._pool.dispatch():
            self._has_room(name)
        for name in self._agenda.take(now):
            if name in self._streams:
                self._tend(self._streams[name], now)
        self._listen()

    def _reconcile(self) -> None:
        """Begins what is wanted and not there; stops what is not wanted, or not like this."""
        for name, plan in self._wanted.changes().items():
            stream = self._streams.get(name)
            if stream is not None and plan != stream.plan:
                self._stop(stream)
            elif stream is None and plan is not None:
                self._begin(plan)
        for name in self._wanted.restarts():
            stream = self._streams.get(name)
            if stream is not None and stream.stop_by is None:
                self._readers.restart(stream)
                self._agenda.touch(name)

    def _begin(self, plan: StreamPlan, begin: Begin | None = None) -> None:
        name = plan.name
        home = self._count % self._fleet.members
        self._count += 1
        self._streams[name] = Tended(plan, home, begin or Begin(), opens=True)
        media = {lane.name: lane.medium for lane in plan.lanes}
        self._metrics.begin(name, live=True, lanes=media)
        self._looks.begin(name, self._fleet.out / name)
        self._pool.share(name, plan.weight, priority=plan.priority)
        self._agenda.touch(name)

    def _open(self, stream: Tended) -> None:
        """Opens the stream's books, once it is known after what."""
        plan, fleet = stream.plan, self._fleet
        left = self._looks.found(plan.name)
        if left is None:
            return
        stream.opens = False
        if stream.begin == Begin():
            stream.begin = left.begin
        stream.from_s = float(stream.begin.reached.position)
        self._keeping.open(
            plan,
            fleet.out / plan.name,
            replace(left, begin=stream.begin),
            fleet.max_wait_s,
            fleet.about or {},
            fleet.tables,
            opened=partial(self._keeping.note, stream),
        )

    def _stop(self, stream: Tended) -> None:
        """Lets its reader end by itself for a moment, then ends it."""
        if stream.stop_by is None:
            self._readers.stop(stream)
            self._agenda.touch(stream.plan.name)

    def _tend(self, stream: Tended, now: float) -> None:
        if stream.closing:
            return
        if stream.opens:
            self._open(stream)
        waiting = self._pool.waiting(stream.plan.name)
        if stream.stop_by is not None:
            self._wind_up(stream, now)
            self._readers.ask(stream, now, waiting)
        elif self._pool.ready and not stream.opens:
            self._readers.tend(stream, now, waiting)
        self._show(stream, now)
        if not stream.closing:
            self._agenda.at(stream.plan.name, self._due(stream, now))

    def _due(self, stream: Tended, now: float) -> float:
        """When it is to be looked at though nothing came of it; `now` is in the next round."""
        if stream.opens or stream.stop_by is not None or not self._pool.ready:
            return now
        return min(stream.noted_at + NOTE_S, self._readers.due(stream))

    def _wind_up(self, stream: Tended, now: float) -> None:
        assert stream.stop_by is not None
        self._readers.wind_up(stream, now)
        if stream.worker is None and (not stream.in_flight or now > stream.stop_by + SETTLE_S):
            stream.closing = True
            self._pool.forget(stream.plan.name)
            if stream.opens:  # what was looked for will be there when one of its name comes again
                self._gone(stream)
            else:
                self._keeping.finish(stream, partial(self._gone, stream))

    def _listen(self) -> None:
        calls = [*self._readers.asked, *self._keeping.waits_for(), *self._pool.waits_for()]
        if not calls:
            time.sleep(TICK_S)
            return
        ready = set(self._crew.wait(calls, TICK_S))
        for stream in self._readers.answered(ready):
            self._heard(stream)
        self._pool.tick(ready)
        self._keeping.tick(ready)

    def _heard(self, stream: Tended) -> None:
        answer = self._readers.heard(stream)
        self._agenda.touch(stream.plan.name)
        if answer is None:
            return
        beat, windows = answer
        if beat.ended and stream.stop_by is None:
            self._wanted.over(stream.plan)
            self._stop(stream)
        if beat.marks:
            self._pressure.handed(stream)
            step = Step(beat.lane, beat.marks, beat.progress)
            self._pool.add(Task(stream.plan.name, stream.home, step, windows))

    def _settle(self, name: str, lane: str, answers: Any, marks: Sequence[Mark]) -> None:
        stream = self._streams.get(name)
        if stream is not None and stream.has_news and self._keeping.opened(name):
            self._keeping.note(stream)  # before the answers to what was read since
        self._keeping.settle(name, lane, answers, marks)

    def _settled(self, name: str) -> None:
        stream = self._streams.get(name)
        if stream is not None:
            self._pressure.settled(stream)
            self._has_room(name)

    def _has_room(self, name: str) -> None:
        """Looks at a stream that may be waiting for room for its next batch."""
        stream = self._streams.get(name)
        if stream is not None and stream.call is None:
            self._agenda.touch(name)

    def _gone(self, stream: Tended) -> None:
        name = stream.plan.name
        del self._streams[name]
        self._pressure.forget(name)
        self._agenda.forget(name)
        self._metrics.forget(name)
        self._tell(f"{name}: ended")
        wanted = self._wanted.plan(name)
        if wanted is not None:
            begin = replace(stream.begin, indices={}, outage=CHANGED)
            self._begin(wanted, stream.begin if stream.opens else begin)

    def _show(self, stream: Tended, now: float) -> None:
        """Tells people, metrics and the keeper how the stream is, when it changed or is due."""
        state = stream.state
        changed = state != stream.shown
        if changed:
            stream.shown, stream.shown_since = state, now
            self._tell(": ".join(part for part in (stream.plan.name, *state) if part))
        takes = not stream.opens and self._keeping.takes_notes(stream.plan.name)
        if changed or (takes and stream.has_news) or now - stream.noted_at > NOTE_S:
            stream.noted_at = now
            level, ledger = self._pressure.level(stream), self._keeping.ledger(stream.plan.name)
            measure(self._metrics, stream, level, ledger, now)
            if takes and not stream.closing:
                self._keeping.note(stream)

    def drain(self) -> None:
        """Ends all streams in order, for so long as there is time."""
        until = time.monotonic() + DRAIN_S
        self._wanted.end()
        while time.monotonic() < until:
            self.tick()
            if not self._streams:
                break

    def close(self) -> None:
        """Ends every process at once."""
        self._keeping.close()
        self._pool.close()
        self._readers.close(self._streams.values())
