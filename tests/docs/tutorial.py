"""A page of docs/ as a program: the blocks that a comment before them marks, one after the other.

`<!-- run -->`            the next block is typed into a shell
`<!-- file: NAME -->`     the next block is written to NAME
`<!-- change: NAME -->`   the next block is a diff of NAME
`<!-- prints -->`         the command before printed every line of the next block; `...` is anything

The marks are comments, so that nobody who reads the page sees them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STEP = re.compile(
    r"^<!-- (?P<mark>run|file|change|prints)(?:: (?P<name>[\w./-]+))? -->\n+"
    r"```[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LONGEST_S = 540


@dataclass(frozen=True)
class Step:
    """A marked block: `mark` is what to do with its `text`."""

    mark: str
    name: str
    text: str


def steps(page: str) -> list[Step]:
    """The marked blocks of a page, in its order."""
    return [
        Step(found["mark"], found["name"] or "", found["text"]) for found in STEP.finditer(page)
    ]


def script(page: list[Step]) -> str:
    """All of it as one shell script, as somebody would type it into one terminal."""
    lines = ["set -eu"]
    for number, step in enumerate(page):
        lines.append(f"echo '=== {number}'")
        if step.mark == "run":
            lines.append(step.text)
        elif step.mark == "file":
            lines += [f"mkdir -p $(dirname {step.name})", f"cat > {step.name} <<'END OF FILE'"]
            lines.append(f"{step.text}END OF FILE")
        elif step.mark == "change":
            lines.append(f"git apply --recount - <<'END OF FILE'\n{step.text}END OF FILE")
    return "\n".join(lines) + "\n"


def run(page: str, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What each step printed. AssertionError when one fails, or does not print what it should."""
    program = steps(page)
    with subprocess.Popen(
        ["bash", "-c", script(program)],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=LONGEST_S)
        finally:
            with suppress(ProcessLookupError):  # what a page that failed left in the background
                os.killpg(shell.pid, signal.SIGTERM)
    assert shell.returncode == 0, output
    said = re.split(r"^=== \d+\n", output, flags=re.MULTILINE)[1:]
    for number, step in enumerate(program):
        if step.mark == "prints":
            for line in step.text.splitlines():
                assert printed(line, said[number - 1]), (line, said[number - 1])
    return said


def printed(line: str, said: str) -> bool:
    """True when it is a line of what was said, however many spaces stand between its words."""
    wanted = ".*".join(re.escape(part) for part in _words(line).split("..."))
    return any(re.fullmatch(wanted, _words(one)) for one in said.splitlines())


def _words(line: str) -> str:
    return " ".join(line.split())
