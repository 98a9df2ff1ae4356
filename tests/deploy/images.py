"""What docker/ says, taken apart for tests: the stages of the Dockerfile, and what a build sees."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"


@dataclass(slots=True)
class Stage:
    """A stage: what it is made from, and its instructions as (word, rest)."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def said(self, word: str) -> list[str]:
        """What follows every instruction of this word, in order."""
        return [rest for step, rest in self.steps if step == word]

    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        pairs = [pair for rest in self.said("ENV") for pair in shlex.split(rest)]
        return dict(pair.split("=", 1) for pair in pairs)

    def listed(self, word: str) -> list[str]:
        """The JSON list of the last instruction of this word."""
        found: list[str] = json.loads(self.said(word)[-1])
        return found


def stages() -> dict[str, Stage]:
    """The stages of the Dockerfile by name, in order; a base that is an argument has its value."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    arguments: dict[str, str] = {}
    found: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.split()
            stage = found[name] = Stage(re.sub(r"\$\{(\w+)\}", lambda m: arguments[m[1]], base))
        elif stage is not None and word:
            stage.steps.append((word, rest.strip()))
        elif word == "ARG":
            arguments.update([rest.split("=", 1)])
    return found


def chain(name: str) -> list[Stage]:
    """A stage and those that it is made from, down to an image of others."""
    known = stages()
    found = [known[name]]
    while found[-1].base in known:
        found.append(known[found[-1].base])
    return found


def seen_by_a_build(path: str) -> bool:
    """True when .dockerignore leaves a file, or a folder, of the project in the context."""
    seen = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parts = path.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        anywhere = pattern.removeprefix("**/")
        if any(fnmatch(each, pattern) for each in above if "/" not in each or "/" in pattern) or (
            anywhere != pattern and any(fnmatch(part, anywhere) for part in parts)
        ):
            seen = line.startswith("!")
    return seen
