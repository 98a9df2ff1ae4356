"""The lanes. This union is the registration: a new lane is its file, its test and one line."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.lanes.action import ActionLane
from pipeline.lanes.instances import InstancesLane
from pipeline.lanes.sound import SoundLane

LaneConfig = Annotated[ActionLane | InstancesLane | SoundLane, Field(discriminator="kind")]
