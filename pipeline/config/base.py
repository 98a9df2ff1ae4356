"""The base of every config model, and the number types that they share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.runtime import RuntimeName


class StrictModel(BaseModel):
    """A frozen config record that refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Rate = Annotated[float, Field(gt=0, le=1000)]
Batch = Annotated[int, Field(ge=1, le=256)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
RuntimeChoice = RuntimeName | Literal["auto"]
"""How a network is executed; `auto` is settled by a measurement before a lane is built."""


def settled(choice: RuntimeChoice) -> RuntimeName:
    """The runtime itself; torch eager for an `auto` that nobody settled, as in a mere plan."""
    return "eager" if choice == "auto" else choice
