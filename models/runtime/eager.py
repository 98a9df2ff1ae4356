"""torch itself, op by op: needs nothing more, and runs on any device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from models.runtime.base import Execution, Part, Precision, as_tuple


class Eager:
    """Runs parts as they are. In bfloat16 it runs a copy of them, converted."""

    name = "eager"

    def unavailable(self, precision: Precision, device: str) -> str | None:
        """None in float32; in bfloat16 why this CPU would only be slower by it."""
        return missing_bfloat16(precision, device)

    def versions(self) -> dict[str, str]:
        """Nothing: torch is part of every run."""
        return {}

    def prepare(self, part: Part, precision: Precision) -> Execution:
        """The module in eval mode; inputs are converted, outputs are float32."""
        module = in_precision(part.module, precision)
        return TorchExecution(module, precision)


class TorchExecution:
    """Calls a function of tensors in one precision, without gradients."""

    def __init__(self, run: Callable[..., Any], precision: Precision) -> None:
        self._run = run
        self._half = precision == "bfloat16"

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the part in float32."""
        if not self._half:
            return as_tuple(self._run(*inputs))
        halves = [tensor.bfloat16() if tensor.is_floating_point() else tensor for tensor in inputs]
        return tuple(tensor.float() for tensor in as_tuple(self._run(*halves)))


def in_precision(module: torch.nn.Module, precision: Precision) -> torch.nn.Module:
    """The module itself in float32, or a converted copy of it; in eval mode."""
    if precision == "float32":
        return module.eval()
    return copy.deepcopy(module).eval().bfloat16()


def missing_bfloat16(precision: Precision, device: str) -> str | None:
    """Why bfloat16 is of no use here; None when it is, or is not asked for."""
    if precision == "float32" or device != "cpu" or has_bfloat16():
        return None
    return "this CPU has no bfloat16 instructions (AVX512-BF16 or AMX): use float32"


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; False where torch is too old to say."""
    ask = getattr(torch.cpu, "get_capabilities", dict)
    capabilities: dict[str, object] = ask()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
