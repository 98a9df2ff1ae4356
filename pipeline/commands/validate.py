"""`witness validate`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline.config.load import is_fleet, load_config, load_fleet
from pipeline.errors import WitnessError
from pipeline.run.job import build_lanes


def validate_command(path: Path) -> int:
    """0 when the file is a config whose weights are all there, else 2."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        config = load_fleet(path) if is_fleet(path) else load_config(path)
        lanes = build_lanes(config, "cpu", offline=True)
    except WitnessError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return 2
    for lane in lanes:
        told = f"{lane.name}: {lane.medium}, {lane.card.name} ({', '.join(lane.card.labels)})"
        console.print(escape(told))
    console.print(f"outputs: {', '.join(config.outputs)}")
    console.print(f"{escape(str(path))}: good")
    return 0
