"""Options that several commands have, worded once.

As in `cli.py`, nothing heavy is imported.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Engine(StrEnum):
    """How the parts run."""

    ray = "ray"
    local = "local"


class Device(StrEnum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


EngineOption = Annotated[
    Engine, typer.Option(help="`ray`: processes side by side; `local`: everything in this one.")
]
DeviceOption = Annotated[Device, typer.Option(help="Where the networks run.")]
MetricsPort = Annotated[
    int | None, typer.Option(help="Port of /metrics while the job runs; -1 for none. Usually 9464.")
]
LanesOption = Annotated[
    str | None, typer.Option(help="Only these lanes, by name: `action,instances,sound`.")
]
ConfigOption = Annotated[Path | None, typer.Option(help="A YAML file; see `witness validate`.")]
OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Never fetch weights; missing ones are an error.")
]
