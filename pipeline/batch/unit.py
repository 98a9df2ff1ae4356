"""The unit of offline work: a video or a part of a long one, and the key of its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from pipeline.batch.inputs import Input
from pipeline.records import Medium, Span

State = Literal["done", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts of a long video: a stretch of its pictures, or all of its sound.

    `begin` and `end` are seconds of media time; a frame belongs to the part in which it starts.
    `end` is None for what goes on until the source ends.
    """

    number: int
    of: int
    medium: Medium
    begin: Fraction
    end: Fraction | None

    def holds(self, time: Fraction) -> bool:
        """True when what starts then belongs to this part."""
        return self.begin <= time and (self.end is None or time < self.end)

    @property
    def span(self) -> Span | None:
        """The stretch, when its end is known."""
        return None if self.end is None else Span(self.begin, self.end)


@dataclass(frozen=True, slots=True)
class Unit:
    """A video to be run from its first frame to its last, or one part of it.

    `replaces` are the keys of results of the same video before it was changed.
    """

    video: Input
    part: Part | None = None
    replaces: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in messages."""
        if self.part is None:
            return self.video.source
        return f"{self.video.source} [{self.part.number + 1}/{self.part.of}]"

    def to_json(self) -> str:
        """As text, to travel through a table."""
        part: dict[str, Any] | None = asdict(self.part) if self.part else None
        known = {"video": asdict(self.video), "part": part, "replaces": self.replaces}
        return json.dumps(known, default=str)

    @classmethod
    def from_json(cls, told: str) -> Unit:
        """Back from text."""
        known = json.loads(told)
        part = known["part"]
        if part is not None:
            end = None if part["end"] is None else Fraction(part["end"])
            part = Part(**{**part, "begin": Fraction(part["begin"]), "end": end})
        return cls(Input(**known["video"]), part, tuple(known["replaces"]))


def key_of(video: Input, config_hash: str) -> str:
    """32 hex digits that name the results of a video: other content or config, other key.

    12 are of its name, 8 of the config, 12 of its version. Where the video lies is no part of it: a
    folder that was moved, or a bucket behind another address, holds the same videos.
    """
    return _digits(video.source, 12) + config_hash[:8] + _digits(video.version, 12)


def is_of(key: str, config_hash: str) -> bool:
    """True when the key is of results by this config."""
    return key[12:20] == config_hash[:8]


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a unit, in small numbers. `source` names the video, `name` the unit.

    `state` is None for a part that waits for others: only a whole video is done, or failed. Of
    the `skipped` groups of pictures `audited` were decoded after all, and in `missed` of those
    something began.
    """

    key: str
    source: str
    name: str
    state: State | None
    media_s: float
    size_bytes: int
    events: int
    seconds: float
    error: str | None = None
    audited: int = 0
    missed: int = 0
    skipped: int = 0

    def to_json(self) -> str:
        """As text, to travel through a table."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, told: str) -> Outcome:
        """Back from text."""
        return cls(**json.loads(told))


def cut(whole: Unit, media: Collection[Medium], length: Fraction, each: Fraction) -> list[Unit]:
    """The parts of a video of that `length`, its pictures `each` so many seconds, then its sound.

    The last stretch has no end: what a header claims of a length need not be true.
    """
    stretches = max(1, int(length / each)) if "video" in media else 0
    sound = 1 if "audio" in media else 0
    of = stretches + sound
    parts = []
    for number in range(stretches):
        end = (number + 1) * each if number < stretches - 1 else None
        parts.append(Part(number, of, "video", number * each, end))
    if sound:
        parts.append(Part(stretches, of, "audio", Fraction(0), None))
    return [replace(whole, part=part) for part in parts]
