"""How busy the pool is, as readers have to know: who else waits for it, and whose rate falls."""

from __future__ import annotations

import time
from collections import defaultdict

from pipeline.lanes.throttle import Governor
from pipeline.run.live.tended import Tended


class Pressure:
    """Knows the streams of which something waits, and lowers rates by how long it does.

    All of one priority lower alike, or those that began to first would go without for ever.
    """

    def __init__(self) -> None:
        self._governors: defaultdict[int, Governor] = defaultdict(Governor)
        self._waiting: dict[str, Tended] = {}
        self._under_way: set[str] = set()

    @property
    def rivals(self) -> int:
        """Streams that have batches under way; 1 at least."""
        return max(1, len(self._under_way))

    def handed(self, stream: Tended) -> None:
        """A batch of the stream is under way from now on."""
        stream.under_way.append(time.monotonic())
        self.weigh(stream)

    def settled(self, stream: Tended) -> None:
        """The oldest one has arrived, if the stream has any."""
        if stream.under_way:
            stream.under_way.popleft()
            self.weigh(stream)

    def weigh(self, stream: Tended) -> None:
        """Takes note of how much of the stream waits; to be told whenever that changed."""
        name = stream.plan.name
        if stream.under_way:
            self._under_way.add(name)
        else:
            self._under_way.discard(name)
        if stream.under_way or (stream.beat is not None and stream.beat.waited_s):
            self._waiting[name] = stream
        else:
            self._waiting.pop(name, None)

    def forget(self, name: str) -> None:
        """The stream is no more."""
        self._under_way.discard(name)
        self._waiting.pop(name, None)

    def govern(self, now: float) -> None:
        """Settles by how much rates are lowered: by what the stream that waits longest does."""
        fills = dict.fromkeys(self._governors, 0.0)
        for stream in self._waiting.values():
            plan, beat = stream.plan, stream.beat
            waits_s = max(stream.behind_s(now), beat.waited_s if beat else 0.0)
            if plan.rules.overload == "lower_rate" and plan.rules.max_lag_s:
                fill = waits_s / plan.rules.max_lag_s
                fills[plan.priority] = max(fills.get(plan.priority, 0.0), fill)
        for priority, fill in fills.items():
            self._governors[priority].update(fill, now)

    def level(self, stream: Tended) -> int:
        """By how much this stream's rate is lowered: not at all when it keeps it."""
        if stream.plan.rules.keeps_rate:
            return 0
        return self._governors[stream.plan.priority].level
