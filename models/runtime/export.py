"""Exported networks on disk: one file a part, and a card that says what was compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from models.runtime import get_runtime
from models.runtime.base import Execution, ExportRefused, Part, Precision, Runtime
from models.runtime.equality import Agreement
from models.runtime.graph import OPSET, to_onnx
from models.runtime.networks import Loaded, Picture

Target = Literal["onnx", "openvino"]
SUFFIXES: dict[Target, str] = {"onnx": ".onnx", "openvino": ".xml"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, the card last, and how it agreed with torch eager."""

    files: tuple[Path, ...]
    agreement: Agreement


def export(loaded: Loaded, to: Target, out: Path, pictures: Sequence[Picture]) -> Exported:
    """Writes the parts of a network into the folder `out`, after they were compared with eager.

    What is written is what was compared: the files are read back and run. Nothing stays when they
    differ: ExportRefused says by how much. RuntimeUnavailable when the runtime is not installed.
    """
    runtime = get_runtime(to)
    name = loaded.card.name
    out.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    try:
        for part in loaded.parts():
            files += write_part(part, to, out / f"{name}.{part.name}{SUFFIXES[to]}")
        running = loaded.run(_FromFiles(runtime, to, out, name), "float32")
        agreement = loaded.compare(running, pictures)
        agreement.require(f"{name} in {to}", "float32")
        card = _write_card(loaded, to, out, files, agreement)
    except ExportRefused:
        for file in files:
            file.unlink(missing_ok=True)
        raise
    return Exported((*files, card), agreement)


def write_part(part: Part, to: Target, file: Path) -> tuple[Path, ...]:
    """The files that a part became: `file`, and for OpenVINO the weights beside it."""
    graph = to_onnx(part)
    if to == "onnx":
        file.write_bytes(graph)
        return (file,)
    import io

    import openvino

    # Half the size would cost the equality with eager that is checked.
    openvino.save_model(openvino.Core().read_model(io.BytesIO(graph)), file, compress_to_fp16=False)
    return file, file.with_suffix(".bin")


def read_part(to: Target, file: Path, *, per_shape: bool, precision: Precision) -> Execution:
    """A part that was exported, ready to run."""
    if to == "onnx":
        from models.runtime.onnx_runtime import OnnxExecution

        return OnnxExecution(file.read_bytes())
    from models.runtime.open_vino import OpenVinoExecution

    return OpenVinoExecution(file, precision, per_shape=per_shape)


class _FromFiles:
    """A runtime whose parts were exported before."""

    def __init__(self, runtime: Runtime, to: Target, folder: Path, network: str) -> None:
        self.name = runtime.name
        self.unavailable = runtime.unavailable
        self.versions = runtime.versions
        self._to = to
        self._start = str(folder / network)

    def prepare(self, part: Part, precision: Precision) -> Execution:
        file = Path(f"{self._start}.{part.name}{SUFFIXES[self._to]}")
        return read_part(self._to, file, per_shape=part.per_shape, precision=precision)


def _write_card(
    loaded: Loaded, to: Target, out: Path, files: Sequence[Path], agreement: Agreement
) -> Path:
    card = {
        "network": asdict(loaded.card),
        "runtime": to,
        "versions": {"torch": version("torch"), **get_runtime(to).versions()},
        "opset": OPSET,
        "files": [file.name for file in files],
        "parts": [
            {
                "name": part.name,
                "inputs": list(part.inputs),
                "outputs": list(part.outputs),
                "dynamic": {
                    name: {str(axis): label for axis, label in axes.items()}
                    for name, axes in part.dynamic.items()
                },
            }
            for part in loaded.parts()
        ],
        "equality": agreement.for_card(),
    }
    file = out / f"{loaded.card.name}.{to}.json"
    part_file = file.with_name(file.name + ".part")
    part_file.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part_file.replace(file)
    return file
