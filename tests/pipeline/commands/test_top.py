"""What `witness top` shows of two looks at a witness."""

from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from rich.console import Console

from pipeline.commands.top import Seen, page
from pipeline.measure.values import Metrics

YARD = {"name": "yard", "state": "playing", "reason": "", "since_s": 61.0, "late_s": 0.25}
GATE = {
    "name": "gate",
    "state": "down",
    "reason": "no [route] to it",
    "since_s": 5.0,
    "late_s": 0.0,
}


@dataclass
class Watched:
    """Answers as a client of a witness does."""

    values: Metrics = field(default_factory=Metrics)

    def metrics(self) -> str:
        return self.values.page()

    def streams(self) -> list[dict[str, Any]]:
        return [YARD, GATE]


def shown(seen: Seen) -> list[str]:
    """The lines of the page, without colours."""
    console = Console(width=160, record=True, file=StringIO())
    console.print(page(seen))
    return console.export_text().splitlines()


def test_streams_that_do_not_play_come_first_with_their_reason() -> None:
    watched = Watched()
    values = watched.values
    values.put("pool_members", 2)
    values.put("pool_members_ready", 1)
    seen = Seen.first(watched)  # type: ignore[arg-type]
    values.raise_to("decoded", 50, "yard", "video")
    values.raise_to("dropped", 7, "yard", "sound", "overload")
    values.add("events", "yard", "sound", "bark")
    seen.look(watched)  # type: ignore[arg-type]
    lines = shown(seen)
    assert lines[0].startswith("1 of 2 streams play")
    assert "1 of 2 pool members" in lines[0]
    [gate] = [number for number, line in enumerate(lines) if "gate" in line]
    [yard] = [number for number, line in enumerate(lines) if "yard" in line]
    assert gate < yard
    assert "down: no [route] to it" in lines[gate]
    assert "1 min 1 s" in lines[yard]
    assert "0.25 s" in lines[yard]
    assert "bark, 0 s ago" in lines[yard]


def test_lanes_tell_what_waits_and_what_their_networks_take() -> None:
    watched = Watched()
    values = watched.values
    seen = Seen.first(watched)  # type: ignore[arg-type]
    values.put("lane_ready", 1, "sound")
    values.put("lane_ready", 0, "action")
    values.put("queued_windows", 12, "sound")
    values.answered("sound", 4, 0.02)
    seen.look(watched)  # type: ignore[arg-type]
    lines = shown(seen)
    [sound] = [line for line in lines if line.split()[:1] == ["sound"]]
    [action] = [line for line in lines if line.split()[:1] == ["action"]]
    assert sound.split()[:3] == ["sound", "yes", "12"]
    assert "4.0" in sound
    assert "<= 25 ms" in sound
    assert action.split()[:3] == ["action", "no", "0"]
