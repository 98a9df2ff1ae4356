"""What a live fleet costs here: 16 gated streams, events of 4 streams, and a stream's start.

    PYTHONPATH=. python benchmarks/bench_live.py [--seconds 20] [--out FILE.json]

RTSP cameras of 640x360 at 15 frames a second with AAC sound, served by GStreamer on this machine,
whose work is part of the load. Needs what the live trials need (`.ci/apt`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.live import feed, footage, load
from tests.live.footage import Clip

STREET = Path(__file__).parent.parent / "examples" / "street.mp4"


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--only", choices=["sixteen", "four", "starts"])
    parser.add_argument("--out", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bars = feed.write(footage.make(folder, Clip()), Clip())
        runs = {
            "sixteen": lambda: load.sixteen(folder / "16", bars, told.streams, told.seconds),
            "four": lambda: load.four(folder / "4", load.street(folder), seconds=told.seconds),
            "starts": lambda: load.starts(folder / "1", bars),
        }
        chosen = [told.only] if told.only else list(runs)
        figures: dict[str, dict[str, Any]] = {what: runs[what]() for what in chosen}
    for what, found in figures.items():
        print(what)
        for key, value in found.items():
            print(f"  {key:22} {value}")
    if told.out:
        told.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
