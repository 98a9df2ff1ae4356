"""OpenVINO on the CPU, in float32 or bfloat16."""

from __future__ import annotations

import io
from collections import OrderedDict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.runtime.base import Execution, Part, Precision
from models.runtime.eager import missing_bfloat16
from models.runtime.graph import to_onnx

_SHAPES = 12
_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}


class OpenVino:
    """Runs ONNX graphs with OpenVINO; CPU only."""

    name = "openvino"

    def unavailable(self, precision: Precision, device: str) -> str | None:
        """Why not: a library is missing, the device is no CPU, or the CPU has no bfloat16."""
        if find_spec("openvino") is None or find_spec("onnx") is None:
            return "OpenVINO is not installed: pip install 'witness-av[openvino]'"
        if device != "cpu":
            return f"OpenVINO is used on the CPU only here, not on {device}"
        return missing_bfloat16(precision, device)

    def versions(self) -> dict[str, str]:
        """That of OpenVINO."""
        return {"openvino": version("openvino")}

    def prepare(self, part: Part, precision: Precision) -> Execution:
        """The part, read from its ONNX graph."""
        return OpenVinoExecution(to_onnx(part), precision, per_shape=part.per_shape)


class OpenVinoExecution:
    """A graph, compiled once for any shape, or anew for each shape that comes, which runs faster.

    The shapes used last are kept; streams of one job have few picture sizes.
    """

    def __init__(self, graph: bytes | Path, precision: Precision, *, per_shape: bool) -> None:
        import openvino

        self._core = openvino.Core()
        self._graph = graph
        self._per_shape = per_shape
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            # It would count siblings of a core once, and pin several members to the same core.
            "ENABLE_HYPER_THREADING": True,
            "ENABLE_CPU_PINNING": False,
            "CPU_DENORMALS_OPTIMIZATION": True,
        }
        self._compiled: OrderedDict[tuple[torch.Size, ...], Any] = OrderedDict()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the graph; the first call of a new shape compiles it."""
        shapes = tuple(tensor.shape for tensor in inputs) if self._per_shape else ()
        request = self._compiled.get(shapes)
        if request is None:
            request = self._compiled[shapes] = self._compile(shapes)
            if len(self._compiled) > _SHAPES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shapes)
        arrays = [tensor.detach().contiguous().numpy() for tensor in inputs]
        # Outputs are copied: the request writes its next answer over this one.
        answer = request.infer(arrays, share_inputs=True, share_outputs=False)
        return tuple(torch.from_numpy(answer[at]) for at in range(len(answer)))

    def _compile(self, shapes: tuple[torch.Size, ...]) -> Any:
        graph = io.BytesIO(self._graph) if isinstance(self._graph, bytes) else self._graph
        model = self._core.read_model(graph)
        if shapes:
            model.reshape({at: list(shape) for at, shape in enumerate(shapes)})
        return self._core.compile_model(model, "CPU", self._settings).create_infer_request()
