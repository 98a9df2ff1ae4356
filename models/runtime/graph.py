"""Parts as ONNX: one graph that ONNX Runtime and OpenVINO both read.

torch's TorchScript exporter is used, not the newer one: see docs/decisions/0006. What it lacks,
`unfold` along an axis of unknown length and the gated unit's cell, is added here.
"""

from __future__ import annotations

import copy
import io
import logging
import warnings
from typing import Any

import torch
from torch.onnx import symbolic_helper

from models.runtime.base import ExportRefused, Part

OPSET = 18

# These parts of torch are untyped.
_exporter: Any = torch.onnx
_helper: Any = symbolic_helper


def to_onnx(part: Part) -> bytes:
    """The serialized ONNX graph of a part, with its dynamic axes; ExportRefused when torch cannot.

    Weights are inside, so a part is smaller than 2 GB.
    """
    module = copy.deepcopy(part.module).eval().requires_grad_(False)
    for name, symbolic in (("unfold", _unfold), ("gru_cell", _gru_cell)):
        _exporter.register_custom_op_symbolic(f"aten::{name}", symbolic, OPSET)
    stream = io.BytesIO()
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Tracing warns of every check of a shape at a door, and the exporter of its age.
            warnings.simplefilter("ignore")
            _exporter.export(
                module,
                part.example,
                stream,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(part.inputs),
                output_names=list(part.outputs),
                dynamic_axes={name: dict(axes) for name, axes in part.dynamic.items()},
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        message = f"{part.name}: torch cannot export it: {str(error).splitlines()[0]}"
        raise ExportRefused(message) from error
    finally:
        log.setLevel(level)
    return stream.getvalue()


def _constant(graph: Any, value: int | list[int]) -> Any:
    return graph.op("Constant", value_t=torch.tensor(value))


def _unfold(graph: Any, x: Any, dimension: Any, size: Any, step: Any) -> Any:
    """Windows along an axis: Gather by `start + offset`, where the starts depend on its length."""
    axis, length, hop = (
        _helper._get_const(value, "i", name)
        for value, name in ((dimension, "dimension"), (size, "size"), (step, "step"))
    )
    rank = _helper._get_tensor_rank(x)
    axis %= rank
    whole = graph.op("Gather", graph.op("Shape", x), _constant(graph, axis))
    room = graph.op("Sub", whole, _constant(graph, length))
    count = graph.op("Div", room, _constant(graph, hop))
    last = graph.op("Add", count, _constant(graph, 1))
    steps = graph.op("Range", _constant(graph, 0), last, _constant(graph, 1))
    starts = graph.op("Mul", steps, _constant(graph, hop))
    column = graph.op("Unsqueeze", starts, _constant(graph, [1]))
    indices = graph.op("Add", column, _constant(graph, list(range(length))))
    windows = graph.op("Gather", x, indices, axis_i=axis)
    order = [at for at in range(rank + 1) if at != axis + 1]
    return graph.op("Transpose", windows, perm_i=[*order, axis + 1])


def _gru_cell(graph: Any, x: Any, memory: Any, *weights: Any) -> Any:
    """Torch's gated unit: reset, update, new, in that order of rows."""
    into, across, into_bias, across_bias = weights
    given = graph.op("Gemm", x, into, into_bias, transB_i=1)
    kept = graph.op("Gemm", memory, across, across_bias, transB_i=1)
    gates = {"axis_i": 1, "num_outputs_i": 3, "outputs": 3}
    reset_in, update_in, new_in = graph.op("Split", given, **gates)
    reset_kept, update_kept, new_kept = graph.op("Split", kept, **gates)
    reset = graph.op("Sigmoid", graph.op("Add", reset_in, reset_kept))
    update = graph.op("Sigmoid", graph.op("Add", update_in, update_kept))
    new = graph.op("Tanh", graph.op("Add", new_in, graph.op("Mul", reset, new_kept)))
    return graph.op("Add", new, graph.op("Mul", update, graph.op("Sub", memory, new)))
