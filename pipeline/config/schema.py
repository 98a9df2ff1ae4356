"""What a run can be told: lanes, outputs, and how much of the machine to use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.access import MetricsConfig
from pipeline.config.base import StrictModel
from pipeline.lanes import LaneConfig
from pipeline.lanes.action import ActionLane
from pipeline.lanes.instances import InstancesLane
from pipeline.lanes.sound import SoundLane

Output = Literal["jsonl", "parquet", "overlay", "report"]


class PoolConfig(StrictModel):
    """The pool that runs the networks.

    `members` processes share the work, each with `threads` threads (default: the processor's
    cores divided among them) and `gpus` of a GPU when the device is cuda. `in_flight` is how
    many batches of one stream may be under way at once, `readers` how many sources are read at
    the same time: the bounds on memory. A source that brings nothing for `stall_timeout_s` is
    given up. With `spare`, a process more has the networks of live streams loaded and stands by:
    without it a lost one is missed for as long as loading takes, and its memory is saved.
    `keepers` processes settle and write what live streams bring (default: one for every 200
    streams of the file); the streams are divided among them by name.
    """

    members: Annotated[int, Field(ge=1, le=64)] = 1
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    in_flight: Annotated[int, Field(ge=1, le=64)] = 6
    readers: Annotated[int, Field(ge=1, le=256)] = 4
    stall_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    gpus: Annotated[float, Field(gt=0, le=1)] = 1.0
    spare: bool = True
    keepers: Annotated[int, Field(ge=1, le=64)] | None = None


class RunConfig(StrictModel):
    """Everything that decides what a run finds and writes, and who may look at its figures."""

    lanes: tuple[LaneConfig, ...] = (
        ActionLane(kind="action"),
        InstancesLane(kind="instances"),
        SoundLane(kind="sound"),
    )
    outputs: tuple[Output, ...] = ("jsonl", "parquet", "overlay", "report")
    pool: PoolConfig = PoolConfig()
    metrics: MetricsConfig = MetricsConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> RunConfig:
        names = [lane.name for lane in self.lanes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"two lanes are called {twice[0]!r}: give one of them another `name`"
            raise ValueError(message)
        if not names:
            message = "no lanes: name at least one of action, instances, sound"
            raise ValueError(message)
        if "jsonl" not in self.outputs and {"overlay", "report"} & set(self.outputs):
            message = "overlay and report are drawn from the rows: add jsonl to `outputs`"
            raise ValueError(message)
        return self
