"""`witness plan`: how large a machine, or how many of them, so many streams need."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.errors import ConfigError
from pipeline.plan.costs import read_costs
from pipeline.plan.sizing import Plan, Wish, plan

GOOD, USAGE = 0, 2


def plan_command(wish: Wish, costs: Path | None, *, as_json: bool) -> int:
    """0 when the plan was shown, 2 for a size, a lane or costs that are none."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        found = plan(wish, read_costs(costs))
    except ConfigError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE
    if as_json:
        told = {"wish": asdict(wish), "plan": {**asdict(found), "used_cores": found.used_cores}}
        console.print(json.dumps(told, indent=2), markup=False)
        return GOOD
    console.print(table(wish, found))
    for line in answer(wish, found):
        console.print(escape(line))
    console.print("\nassumed:")
    for line in found.assumptions:
        console.print(f"  - {escape(line)}")
    return GOOD


def table(wish: Wish, found: Plan) -> Table:
    """What each role uses."""
    shown = Table(title=f"{wish.streams:,} streams, {wish.size}", title_justify="left")
    shown.add_column("")
    for column in ("cores used", "memory"):
        shown.add_column(column, justify="right")
    for role, cores in found.cores.items():
        shown.add_row(role, f"{cores:,.2f}", _gib(found.memory_mib[role]))
    shown.add_section()
    shown.add_row("together", f"{found.used_cores:,.2f}", _gib(sum(found.memory_mib.values())))
    return shown


def answer(wish: Wish, found: Plan) -> list[str]:
    """What to get, a line each."""
    gpus = "" if found.gpus is None else f" and {found.gpus} GPUs"
    lines = [
        f"get {found.wanted_cores:,} cores{gpus} and {found.wanted_memory_gib:,.1f} GiB of memory,"
        f" headroom {wish.headroom:g} included",
        f"pool members: {found.members:,}; witnesses: {found.witnesses:,}",
        f"network: {found.network_mbit_per_s:,.0f} Mbit/s come in",
        f"disk: {found.disk_gb_per_day:,.2f} GB a day",
    ]
    if found.nodes is not None:
        lines.append(f"nodes of this kind: {found.nodes:,}")
    return lines


def _gib(mib: float) -> str:
    return f"{mib / 1024:,.1f} GiB" if mib >= 1024 else f"{mib:,.0f} MiB"
