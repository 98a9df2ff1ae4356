"""`witness export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from models.card import CheckpointError
from pipeline.errors import ConfigError, SourceError
from pipeline.run.runtimes import pictures_of

if TYPE_CHECKING:
    from models.runtime.export import Target

GOOD, USAGE, FAILED = 0, 2, 3


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the command line asked for; `source` has the pictures to compare with."""

    checkpoint: str
    to: Target
    out: Path
    source: str | None = None
    offline: bool = False


def export_command(request: ExportRequest) -> int:
    """0; 2 for bad usage or a runtime that is not there; 3 when the export was refused."""
    from models.runtime import ExportRefused, RuntimeUnavailable

    console = Console(soft_wrap=True, highlight=False)
    try:
        _export(request, console)
    except (ConfigError, CheckpointError, RuntimeUnavailable) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE
    except (ExportRefused, SourceError) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return FAILED
    return GOOD


def _export(request: ExportRequest, console: Console) -> None:
    from models.runtime import get_runtime
    from models.runtime.export import export
    from models.runtime.networks import load_any
    from pipeline.commands.request import example

    get_runtime(request.to)
    loaded = load_any(request.checkpoint, offline=request.offline)
    pictures = pictures_of(request.source or example("street.mp4"))
    done = export(loaded, request.to, request.out, pictures)
    measured = done.agreement
    console.print(f"compared with torch eager: {measured.compared}")
    if measured.logit_error is not None:
        console.print(f"  largest error of a logit: {measured.logit_error:.2g}")
    if measured.box_iou is not None and measured.mask_iou is not None:
        console.print(
            f"  {measured.things} things: mean box IoU {measured.box_iou:.4f}, "
            f"mean mask IoU {measured.mask_iou:.4f}"
        )
    for file in done.files:
        console.print(f"wrote {escape(str(file))}")
