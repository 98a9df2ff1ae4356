"""How a network executes: torch eager or compiled, ONNX Runtime, OpenVINO; same answers."""

from __future__ import annotations

from typing import Literal, get_args

from models.runtime.base import (
    PRECISIONS,
    Execution,
    ExportRefused,
    Part,
    Precision,
    Runtime,
    RuntimeUnavailable,
)

RuntimeName = Literal["eager", "compiled", "onnx", "openvino"]
RUNTIMES: tuple[RuntimeName, ...] = get_args(RuntimeName)

__all__ = [
    "PRECISIONS",
    "RUNTIMES",
    "Execution",
    "ExportRefused",
    "Part",
    "Precision",
    "Runtime",
    "RuntimeName",
    "RuntimeUnavailable",
    "get_runtime",
]


def get_runtime(
    name: RuntimeName, precision: Precision = "float32", device: str = "cpu"
) -> Runtime:
    """The runtime of that name; RuntimeUnavailable says why it cannot be used here."""
    runtime = _make(name)
    reason = runtime.unavailable(precision, device)
    if reason is not None:
        message = f"runtime {name} in {precision}: {reason}"
        raise RuntimeUnavailable(message)
    return runtime


def _make(name: RuntimeName) -> Runtime:
    if name == "eager":
        from models.runtime.eager import Eager

        return Eager()
    if name == "compiled":
        from models.runtime.compiled import Compiled

        return Compiled()
    if name == "onnx":
        from models.runtime.onnx_runtime import OnnxRuntime

        return OnnxRuntime()
    from models.runtime.open_vino import OpenVino

    return OpenVino()
