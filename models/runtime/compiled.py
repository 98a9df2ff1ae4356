"""`torch.compile` with frozen weights: torch's own compiler, which needs a C++ compiler."""

from __future__ import annotations

import os
import shutil
from typing import Any

import torch
from torch import Tensor

from models.runtime.base import Execution, Part, Precision, as_tuple
from models.runtime.eager import TorchExecution, in_precision, missing_bfloat16


class Compiled:
    """Compiles a part at its first call, and again for every new shape."""

    name = "compiled"

    def unavailable(self, precision: Precision, device: str) -> str | None:
        """Why not: no C++ compiler, or no bfloat16 on this CPU."""
        compiler = os.environ.get("CXX", "g++")
        if device == "cpu" and not any(map(shutil.which, (compiler, "clang++"))):
            return (
                f"torch.compile needs a C++ compiler and {compiler} is not installed: "
                "apt-get install g++, or name another one in CXX"
            )
        return missing_bfloat16(precision, device)

    def versions(self) -> dict[str, str]:
        """Nothing: the compiler is torch's."""
        return {}

    def prepare(self, part: Part, precision: Precision) -> Execution:
        """The part with its weights frozen into the code."""
        return TorchExecution(_Frozen(in_precision(part.module, precision)), precision)


class _Frozen:
    """The compiled module; torch freezes only where no gradient can ever be asked for."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._run: Any = torch.compile(module, dynamic=False)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        from torch._inductor import config

        with config.patch(freezing=True):
            return as_tuple(self._run(*inputs))
