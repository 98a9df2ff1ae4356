"""ONNX Runtime on the CPU."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import Tensor

from models.runtime.base import Execution, Part, Precision
from models.runtime.graph import to_onnx


class OnnxRuntime:
    """Runs ONNX graphs of any shape with ONNX Runtime; float32 only, CPU only."""

    name = "onnx"

    def unavailable(self, precision: Precision, device: str) -> str | None:
        """Why not: the library is missing, or the wish is not float32 on a CPU."""
        if find_spec("onnxruntime") is None or find_spec("onnx") is None:
            return "ONNX Runtime is not installed: pip install 'witness-av[onnx]'"
        if precision != "float32":
            return f"ONNX Runtime has no {precision} on a CPU: use openvino, eager or compiled"
        if device != "cpu":
            return f"ONNX Runtime is used on the CPU only here, not on {device}"
        return None

    def versions(self) -> dict[str, str]:
        """That of ONNX Runtime."""
        return {"onnxruntime": version("onnxruntime")}

    def prepare(self, part: Part, precision: Precision) -> Execution:
        """The part as an ONNX graph in a session."""
        del precision  # there is one
        return OnnxExecution(to_onnx(part))


class OnnxExecution:
    """A session over a serialized ONNX graph."""

    def __init__(self, graph: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        # Waiting threads must not burn the cores that decoding and torch's own part need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self._names = [one.name for one in self._session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the graph."""
        arrays = (tensor.detach().contiguous().numpy() for tensor in inputs)
        feed = dict(zip(self._names, arrays, strict=True))
        return tuple(map(torch.from_numpy, self._session.run(None, feed)))
