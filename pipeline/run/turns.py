"""Whose turn it is: streams share the pool by weight, and nobody waits for ever."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass


@dataclass(slots=True)
class _Share:
    weight: float = 1.0
    priority: int = 0
    served: float = 0.0
    waits: bool = False


class Turns:
    """Of the streams that wait, the one that had least for its weight comes next.

    Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): a stream that comes back after
    a pause begins where the others are, so it neither saves up turns nor is behind. Streams of a
    higher priority come before all of a lower one; those of the same share among themselves.
    """

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}
        self._now: defaultdict[int, float] = defaultdict(float)

    def share(self, stream: str, weight: float = 1.0, *, priority: int = 0) -> None:
        """Says what a stream is entitled to; weight 1, priority 0 unless told. ValueError."""
        if not weight > 0:
            message = f"stream {stream}: a weight is above 0, not {weight}"
            raise ValueError(message)
        share = self._shares.setdefault(stream, _Share())
        if share.priority != priority:
            share.served = self._now[priority]
        share.weight, share.priority = weight, priority

    def wait(self, stream: str) -> None:
        """Takes a stream in among those that wait; again is fine."""
        share = self._shares.setdefault(stream, _Share())
        if not share.waits:
            share.waits = True
            share.served = max(share.served, self._now[share.priority])

    def rest(self, stream: str) -> None:
        """The stream has nothing that waits."""
        self._shares[stream].waits = False

    def rank(self, stream: str) -> tuple[int, float]:
        """Of the streams that wait, the one with the least is next; it falls only by `share`."""
        share = self._shares[stream]
        return (-share.priority, share.served)

    def serve(self, stream: str, windows: int) -> None:
        """Puts so many windows to a stream's account."""
        share = self._shares[stream]
        self._now[share.priority] = max(self._now[share.priority], share.served)
        share.served += windows / share.weight

    def forget(self, stream: str) -> None:
        """Drops what is known of a stream that has ended; unknown ones are fine."""
        self._shares.pop(stream, None)
