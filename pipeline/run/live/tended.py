"""What the supervisor knows of one live stream: its reader, and where the next one would begin."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.cut import Progress
from pipeline.lane import Lane
from pipeline.media.address import LiveAddress
from pipeline.media.lateness import Tie
from pipeline.records import Gap
from pipeline.run.crew import Worker
from pipeline.run.live.keeper import Note
from pipeline.run.live.pauses import WELL_S, pause_s
from pipeline.run.live.reader import Beat, Begin, ReadingRules

GAPS_HELD = 1000
"""So many gaps of a stream wait for a keeper that does not answer."""
MOST_UNTOLD = 3
"""After so many notes in a row that nobody could take, what such a one tells is given up."""
GIVEN_UP = "gaps_given_up"
NOTHING = Progress.nothing()
SLOW_S = 2.0
SLOW = "its folder in the results does not answer: does the disk hang?"


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A stream as it is wanted: where it is, which lanes look at it, and by which rules.

    Of streams that wait for the networks, one with twice the `weight` is served twice as often,
    and one of a higher `priority` before all others.
    """

    name: str
    address: LiveAddress
    lanes: tuple[Lane, ...]
    rules: ReadingRules = field(default_factory=ReadingRules)
    weight: float = 1.0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """How a stream is, for people; `reason` says why it does not play, and holds no password.

    `attempts` counts the connections that failed since the last one that was made.
    """

    name: str
    address: str
    state: str
    reason: str
    since_s: float
    late_s: float
    media_s: float
    attempts: int
    connections: int
    restarts: int
    video: str
    audio: str
    decoded: dict[str, int]


@dataclass(slots=True)
class Tended:
    """A stream from the wish for it until its books are closed.

    `opens` while it is being looked at what an earlier watch left. `base` and `before` are the
    totals of the readers before this one; `call` is what the reader was asked, with the windows
    that will come of it. `under_way` is since when batches are on their way through pool and
    keeper, oldest first; `untold` is how many notes in a row nobody could take. Media time began
    at `from_s`; the newest packet came at `newest_at`, which was told at `moved_at`.
    """

    plan: StreamPlan
    home: int
    begin: Begin = field(default_factory=Begin)
    opens: bool = False
    worker: Worker | None = None
    call: tuple[Any, Any] | None = None
    asked_at: float = 0.0
    started_at: float = 0.0
    due: float = 0.0
    under_way: deque[float] = field(default_factory=deque)
    restarts: int = 0
    deaths: int = 0
    beat: Beat | None = None
    base: Progress = NOTHING
    before: Counter[str] = field(default_factory=Counter)
    indices: dict[str, int] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    untold: int = 0
    connections: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    outage_s: float = 0.0
    from_s: float = 0.0
    newest_at: float | None = None
    moved_at: float = 0.0
    down: str = ""
    stop_by: float | None = None
    closing: bool = False
    shown: tuple[str, str] = ("", "")
    shown_since: float = field(default_factory=time.monotonic)
    wanted_at: float = field(default_factory=time.monotonic)
    noted_at: float = 0.0
    noted_tie: Tie | None = None

    @property
    def in_flight(self) -> int:
        """How many batches are under way."""
        return len(self.under_way)

    def behind_s(self, now: float) -> float:
        """For how long the oldest batch has been under way."""
        return now - self.under_way[0] if self.under_way else 0.0

    @property
    def progress(self) -> Progress:
        """Totals of all its readers."""
        if self.beat is None:
            return self.base
        return self.beat.progress if self.base is NOTHING else self.beat.progress.after(self.base)

    @property
    def troubles(self) -> Counter[str]:
        """Troubles of all its readers."""
        return self.before + Counter(self.beat.troubles if self.beat else {})

    @property
    def state(self) -> tuple[str, str]:
        """In a word, and why: starting, opening, playing, waiting, down, stopping, ended."""
        if self.stop_by is not None:
            return "stopping", ""
        if self.opens:
            return "starting", SLOW if time.monotonic() - self.wanted_at > SLOW_S else ""
        if self.worker is None:
            return ("down", self.down) if self.down else ("starting", "")
        return (self.beat.state, self.beat.reason) if self.beat else ("starting", self.down)

    def take(self, beat: Beat) -> None:
        """Takes what the reader said."""
        self.beat = beat
        if beat.newest_at is not None and beat.newest_at != self.newest_at:
            self.newest_at, self.moved_at = beat.newest_at, time.monotonic()
        self._hold([*self.gaps, *beat.gaps])
        if beat.marks:
            self.indices[beat.lane] = beat.marks[-1].index + 1

    def lose(self, why: str, reason: str, now: float) -> None:
        """Its reader is gone: what waited inside is counted, and the next one goes on from here."""
        self.deaths = 1 if now - self.started_at > WELL_S else self.deaths + 1
        self.restarts += 1
        self.down = why
        self.due = now + pause_s(self.deaths)
        if self.state[0] == "playing":  # else what ended its playing is counted already
            self.outages[reason] += 1
        self.settle_reader(reason)
        self.begin = replace(self.begin, outage=why)

    def settle_reader(self, reason: str) -> None:
        """Adds its reader's totals to those before; what still waited inside goes to `reason`."""
        beat, self.worker, self.call = self.beat, None, None
        if beat is not None:
            self.base = _given_up(beat, self.plan.lanes, reason).after(self.base)
            self.before.update(beat.troubles)
            self.connections += beat.connections
            self.outages.update(beat.outages)
            self.outage_s += beat.outage_s
            self.begin = Begin(beat.reached, dict(self.indices), "", goes_on=True)
            self.beat = None

    @property
    def has_news(self) -> bool:
        """True when the keeper has to know before it takes answers to what was read since."""
        tie = self.beat.tie if self.beat else None
        return bool(self.gaps) or (tie is not None and tie != self.noted_tie)

    def take_back(self, note: Note) -> None:
        """Nobody took that note: what it had of gaps, the next one tells."""
        self.untold += 1
        if self.untold < MOST_UNTOLD:
            self._hold([*note.gaps, *self.gaps])
        else:
            self.before[GIVEN_UP] += len(note.gaps)

    def _hold(self, gaps: list[Gap]) -> None:
        """Keeps gaps that are still to be told; of very many the oldest are only counted."""
        if len(gaps) > GAPS_HELD:
            self.before[GIVEN_UP] += len(gaps) - GAPS_HELD
        self.gaps = gaps[-GAPS_HELD:]

    def note(self) -> Note:
        """What the keeper is told, once."""
        gaps, self.gaps = tuple(self.gaps), []
        beat = self.beat
        self.noted_tie = beat.tie if beat else None
        state, reason = self.state
        return Note(
            progress=self.progress,
            reached=beat.reached if beat else self.begin.reached,
            tie=beat.tie if beat else None,
            sender=beat.sender if beat else None,
            troubles=dict(self.troubles),
            gaps=gaps,
            state=state,
            reason=reason,
        )

    def status(self) -> StreamStatus:
        """How it is now, for people."""
        state, reason = self.state
        info = self.beat.info if self.beat else None
        video = info.video if info else None
        audio = info.audio if info else None
        progress = self.progress
        return StreamStatus(
            name=self.plan.name,
            address=self.plan.address.shown,
            state=state,
            reason=reason,
            since_s=round(time.monotonic() - self.shown_since, 1),
            late_s=round(self.beat.late_s, 3) if self.beat else 0.0,
            media_s=round(float(progress.position), 3),
            attempts=self.beat.attempts if self.beat else 0,
            connections=self.connections + (self.beat.connections if self.beat else 0),
            restarts=self.restarts,
            video=f"{video.codec} {video.width}x{video.height}" if video else "",
            audio=f"{audio.codec} {audio.sample_rate} Hz" if audio else "",
            decoded=dict(progress.decoded),
        )


def _given_up(beat: Beat, lanes: tuple[Lane, ...], reason: str) -> Progress:
    dropped = {name: dict(counts) for name, counts in beat.progress.dropped.items()}
    for lane in lanes:
        waiting = beat.waiting(lane)
        if waiting:
            counts = dropped.setdefault(lane.name, {})
            counts[reason] = counts.get(reason, 0) + waiting
    return replace(beat.progress, dropped=dropped)


def unknown(names: Mapping[str, object], name: str) -> str:
    """The message for a stream that nobody knows."""
    return f"no stream is called {name!r}; there are {', '.join(sorted(names)) or 'none'}"
