"""The state of an unfinished training in one file, so that a killed run goes on where it was.

The file is safetensors, as checkpoints are: nothing in it can run code. It appears whole or not at
all, so a run that is killed while it writes goes on from the state before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.training.errors import TrainingError

Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class RunFile:
    """Where the state of a run is kept, and of which run: `identity` tells runs apart."""

    path: Path
    identity: str

    def write(self, tensors: Tensors, numbers: dict[str, Any]) -> None:
        """Replaces the state; `numbers` is any JSON."""
        from safetensors.torch import save

        told = {"identity": self.identity, "numbers": json.dumps(numbers)}
        whole = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(self.path.name + ".part")
        part.write_bytes(save(whole, metadata=told))
        part.replace(self.path)

    def read(self) -> tuple[Tensors, dict[str, Any]] | None:
        """The state as written, None when there is none; TrainingError when it will not do."""
        from safetensors import SafetensorError, safe_open

        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as opened:
                told = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except SafetensorError as error:
            message = f"{self.path}: the state of the run is damaged ({error}); begin anew"
            raise TrainingError(message) from error
        if told.get("identity") != self.identity:
            message = (
                f"{self.path}: the state of a run with other data or settings; give the same "
                "ones as then, or begin anew without resuming"
            )
            raise TrainingError(message)
        return tensors, json.loads(told["numbers"])

    def remove(self) -> None:
        """Removes the state, if there is one: the run is over."""
        self.path.unlink(missing_ok=True)


def packed(prefix: str, state: Tensors) -> Tensors:
    """The tensors under names that start with `prefix/`."""
    return {f"{prefix}/{name}": tensor for name, tensor in state.items()}


def unpacked(prefix: str, tensors: Tensors) -> Tensors:
    """What `packed` put in under that prefix."""
    start = f"{prefix}/"
    return {name[len(start) :]: one for name, one in tensors.items() if name.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """What an optimiser remembers of each parameter: `number/key`."""
    state: dict[int, Tensors] = optimizer.state_dict()["state"]
    return {f"{number}/{key}": one for number, kept in state.items() for key, one in kept.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Gives an optimiser its memory back; its own groups and rates stay."""
    kept: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        kept.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": kept})
