"""What streams cost on one kind of processor: as `witness bench` measures and writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.config.base import StrictModel
from pipeline.errors import ConfigError
from pipeline.records import Medium

SHIPPED = Path(__file__).parent / "costs_xeon_2_threads.json"
"""Measured where this project is made; its processor is named inside."""
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080)}

Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Machine(StrictModel):
    """Where and with what it was measured; `date` is that day (UTC)."""

    processor: str
    hardware_threads: Count
    date: str
    witness: str
    python: str
    torch: str
    ffmpeg: str


class SizeCosts(StrictModel):
    """Pictures of one size, H.264, one thread: ms of processor time.

    A frame that is decoded takes `frame_ms`, and `kbit_ms` for each kbit that it has; one that a
    lane samples takes `window_ms` of that lane, to be converted and scaled, and `gate_ms` where a
    gate looks at it. `reader_ms_per_s` is all else that a reader does in a second of a stream.
    """

    width: Count
    height: Count
    frame_ms: Amount
    kbit_ms: Amount
    window_ms: dict[str, Amount]
    gate_ms: Amount
    reader_ms_per_s: Amount
    reader_mib: Amount


class LaneCosts(StrictModel):
    """A lane that ships: ms of processor time of a pool member, with one thread.

    A call with one window takes `call_ms`, a window of a full call of `batch` windows `full_ms`, a
    window that another device looks at `journey_ms`.
    `rate_hz` is how many windows a second of a stream has, where nobody says another rate.
    `row_bytes` is what a window leaves in the files of events, of the clip that was watched.
    """

    medium: Medium
    rate_hz: Amount
    rate_is_fixed: bool
    batch: Annotated[int, Field(ge=1)]
    call_ms: Amount
    full_ms: Amount
    journey_ms: Amount
    row_bytes: Amount


class ProcessCosts(StrictModel):
    """All else: ms of processor time for each window, and MiB of memory.

    `member_stream_ms` and `keeper_stream_ms` are for a second of a stream, whatever happens in it.
    """

    member_stream_ms: Amount
    supervisor_ms: Amount
    keeper_ms: Amount
    keeper_stream_ms: Amount
    member_mib: Amount
    supervisor_mib: Amount
    keeper_mib: Amount


class Costs(StrictModel):
    """All that a plan is made from."""

    format: Literal[2] = 2
    machine: Machine
    sizes: dict[str, SizeCosts]
    lanes: dict[str, LaneCosts]
    processes: ProcessCosts

    def write(self, path: Path) -> None:
        """Writes them as JSON; ConfigError where that cannot be."""
        try:
            path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            message = f"{path}: the costs cannot be written: {error.strerror}"
            raise ConfigError(message) from error


def read_costs(path: Path | None = None) -> Costs:
    """The costs of a file, or those that ship; ConfigError when they are none."""
    path = path or SHIPPED
    try:
        return Costs.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        message = f"{path}: the costs cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except (ValueError, ValidationError) as error:
        told = str(error).splitlines()[0]
        message = f"{path}: these are no costs as `witness bench` writes them: {told}"
        raise ConfigError(message) from error
