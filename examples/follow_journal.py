"""Prints the events of a live stream as they are written, also over the turn of an hour.

python examples/follow_journal.py out/street           # until Ctrl-C
python examples/follow_journal.py out/street --once    # what is there already

`witness run streams.yaml` appends to `OUT/<stream>/events/2026-11-22T10.jsonl`, a file for each
hour (UTC). When its keeper is replaced, it takes back what no checkpoint covers and writes it
again: so an event may come twice here, and `seen` leaves the second one out.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LOOK_EVERY_S = 0.5
REMEMBERED = 10_000


def new_lines(folder: Path, read: dict[str, int]) -> Iterator[bytes]:
    """Every whole line that was not read yet; `read` says how far each file was."""
    for path in sorted(folder.glob("*.jsonl")):
        if path.stat().st_size < read.get(path.name, 0):
            read[path.name] = 0
        with path.open("rb") as lines:
            lines.seek(read.get(path.name, 0))
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                read[path.name] = lines.tell()
                yield line


def events(folder: Path, *, once: bool = False) -> Iterator[dict[str, Any]]:
    """The events of a stream's folder, each once; without end unless `once`."""
    read: dict[str, int] = {}
    seen: deque[tuple[str, ...]] = deque(maxlen=REMEMBERED)
    while True:
        for line in new_lines(folder / "events", read):
            event = json.loads(line)
            name = tuple(str(event[key]) for key in ("lane", "start", "label", "track_id", "box"))
            if name not in seen:
                seen.append(name)
                yield event
        if once:
            return
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        for event in events(Path(sys.argv[1]), once="--once" in sys.argv):
            print(event["start_utc"], event["lane"], event["label"], event["score"], flush=True)
