"""Which groups of pictures are worth decoding, told by the sizes of their packets alone.

Pure: sees numbers, never a packet. A sensor's noise costs an encoder the same bytes all the time;
what moves costs more. So a group is active when its pictures take more bytes than those of groups
in which nothing was seen to move.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from pipeline.media.levels import Level, Rate
from pipeline.records import Span

ScanKind = Literal["off", "keyframes", "packets", "vectors"]
Fate = Literal["all", "key", "none"]
"""What is decoded of a group: all of it, its key frame alone, or nothing."""
Reason = Literal[
    "quiet",
    "active",
    "changed",
    "before_active",
    "after_active",
    "heartbeat",
    "audit",
    "sound_event",
    "calibrating",
    "always_active",
    "intra_only",
    "constant_bit_rate",
    "unlike_content",
    "too_long",
    "damaged",
    "keyframes",
]

TOLD = 12
"""When less than half of so many groups in which something moved could be told, nothing can."""
NO_STILLNESS = 30
"""After so many groups without stillness it is told that there is none."""


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """How a stream is scanned.

    A group is active from `active` times the usual spread of still ones on; beside an active one
    `faint` is enough. With `glance` it is also active when two key frames in a row differ. At least
    every `heartbeat_s` a key frame is decoded. `calibrate` still groups come first. A share `audit`
    of what would be skipped is decoded as well, chosen by `seed`. Groups that overlap one of the
    spans in `wake` (sorted, in media time) are decoded.
    """

    kind: ScanKind = "packets"
    active: float = 6.0
    faint: float = 3.0
    glance: bool = True
    heartbeat_s: float = 30.0
    calibrate: int = 4
    audit: float = 0.0
    seed: int = 0
    wake: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Gop:
    """A group of pictures, undecoded: a key frame and all that needs it.

    `ahead` are the sizes in bytes, in order, of pictures shown after all that came before them
    (P), `between` those of the others (B). `odd` says why the sizes tell nothing, if so. `changed`
    says that the key frame after it shows something elsewhere than its own.
    """

    span: Span
    frames: int
    key_bytes: int
    ahead: Sequence[int] = ()
    between: Sequence[int] = ()
    odd: Literal["", "constant_bit_rate", "too_long", "damaged"] = ""
    changed: bool = False

    @property
    def bytes(self) -> int:
        """All its packets together."""
        return self.key_bytes + sum(self.ahead) + sum(self.between)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of the group with this number, and why.

    `score` is how many spreads above stillness its sizes are; None while nobody knows.
    """

    number: int
    fate: Fate
    reason: Reason
    score: float | None = None


class GopGate:
    """Decides group by group; of a quiet one as soon as the one after it is known.

    Causal but for that one group. The measure is the still groups: those that were skipped, and of
    those that were decoded the ones in which, as `seen` tells, nothing moved. So activity that
    goes on for hours never becomes the measure, and a camera that moves is decoded for ever.
    """

    def __init__(self, settings: ScanSettings) -> None:
        self._settings = settings
        self._heartbeat = Fraction(settings.heartbeat_s).limit_denominator(1_000_000)
        self._ahead, self._between = Level(settings.calibrate), Level(settings.calibrate)
        self._rate = Rate()
        self._wake = _Wake(settings.wake)
        self._number = 0
        self._held: tuple[Gop, Verdict] | None = None
        self._before: Verdict | None = None
        self._looked: Fraction | None = None
        self._unseen: dict[int, tuple[Gop, float | None]] = {}
        self._moving = False
        self._moved = 0
        self._told: deque[bool] = deque(maxlen=TOLD)

    def judge(self, gop: Gop) -> Iterator[Verdict]:
        """The verdicts that this group makes certain, in order: of it, or of the one before it."""
        number, self._number = self._number, self._number + 1
        if self._settings.kind == "keyframes":
            yield self._settled(gop, Verdict(number, "key", "keyframes"))
            return
        verdict = self._first_look(number, gop)
        if self._held is not None:
            held, quiet = self._held
            self._held = None
            if verdict.reason in ("active", "changed") and self._faint(quiet):
                quiet = Verdict(quiet.number, "all", "before_active", quiet.score)
            yield self._settled(held, quiet)
        if verdict.reason == "quiet":
            verdict = self._beside(verdict)
        if verdict.reason == "quiet":
            self._held = gop, verdict
        else:
            yield self._settled(gop, verdict)

    def flush(self) -> Iterator[Verdict]:
        """The verdict of the last group, when it was held."""
        if self._held is not None:
            held, self._held = self._held, None
            yield self._settled(*held)

    def seen(self, number: int, moved: bool) -> None:
        """Takes what the decoded pictures of a group showed."""
        gop, score = self._unseen.pop(number, (None, None))
        if gop is None:
            return
        if not moved:
            self._learn(gop)
            return
        self._moved += 1
        if score is not None:
            self._told.append(gop.changed or score >= self._settings.active)

    def moving(self, moves: bool) -> None:
        """Learns whether something moves where decoding has come to."""
        self._moving = moves

    def _first_look(self, number: int, gop: Gop) -> Verdict:
        if gop.odd:
            return Verdict(number, "all", gop.odd)
        if not gop.ahead and not gop.between:
            return Verdict(number, "all", "intra_only")
        score = self._score(gop)
        self._rate.add(gop.bytes / gop.frames)
        if self._wake.within(gop.span):
            return Verdict(number, "all", "sound_event", score)
        if self._rate.constant:
            return Verdict(number, "all", "constant_bit_rate", score)
        if len(self._told) == TOLD and 2 * sum(self._told) < TOLD:
            return Verdict(number, "all", "unlike_content", score)
        if score is None:
            none = self._moved >= NO_STILLNESS
            return Verdict(number, "all", "always_active" if none else "calibrating")
        if score >= self._settings.active:
            return Verdict(number, "all", "active", score)
        if gop.changed:
            return Verdict(number, "all", "changed", score)
        return Verdict(number, "none", "quiet", score)

    def _beside(self, quiet: Verdict) -> Verdict:
        """What becomes of a quiet group after one that was decoded.

        All of it is decoded if something still moves, or in doubt; after an active group its key
        frame in any case, for there the lanes see that it is over.
        """
        before = self._before
        if before is None or before.fate != "all":
            return quiet
        active = before.reason in _ACTIVE
        if self._moving or (active and self._faint(quiet)):
            return Verdict(quiet.number, "all", "after_active", quiet.score)
        return Verdict(quiet.number, "key", "after_active", quiet.score) if active else quiet

    def _settled(self, gop: Gop, verdict: Verdict) -> Verdict:
        """The verdict, changed where it is time to look, and with all that follows from it."""
        if verdict.fate == "none":
            late = self._looked is None or gop.span.end - self._looked > self._heartbeat
            if self._audited(verdict.number):
                verdict = Verdict(verdict.number, "all", "audit", verdict.score)
            elif late:
                verdict = Verdict(verdict.number, "key", "heartbeat", verdict.score)
        self._before = verdict
        if verdict.fate != "none":
            self._looked = gop.span.start
        if verdict.fate == "all":
            self._unseen[verdict.number] = gop, verdict.score
        elif self._settings.kind != "keyframes":
            self._learn(gop)
        return verdict

    def _faint(self, quiet: Verdict) -> bool:
        return quiet.score is not None and quiet.score >= self._settings.faint

    def _audited(self, number: int) -> bool:
        # Of the number alone, so that the choice depends on nothing that was decided before.
        drawn = Random(f"{self._settings.seed}:{number}").random()
        return drawn < self._settings.audit

    def _learn(self, gop: Gop) -> None:
        self._ahead.learn(gop.ahead)
        self._between.learn(gop.between)

    def _score(self, gop: Gop) -> float | None:
        scores = [self._ahead.score(gop.ahead), self._between.score(gop.between)]
        return max((score for score in scores if score is not None), default=None)


_ACTIVE = frozenset({"active", "changed", "before_active", "after_active", "sound_event"})


class _Wake:
    """Spans in which something was heard."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [span.start for span in spans]
        # A long span may reach beyond later ones: the furthest end up to each of them counts.
        self._ends: list[Fraction] = []
        for span in spans:
            self._ends.append(max(span.end, self._ends[-1] if self._ends else span.end))

    def within(self, span: Span) -> bool:
        """True when one of them overlaps it."""
        before_end = bisect_right(self._starts, span.end)
        if before_end and self._starts[before_end - 1] == span.end:
            before_end = _first_at(self._starts, span.end, before_end)
        return before_end > 0 and self._ends[before_end - 1] > span.start


def _first_at(starts: Sequence[Fraction], time: Fraction, at: int) -> int:
    while at and starts[at - 1] == time:
        at -= 1
    return at
