"""Features on disk, stored once: by what file they are of, which network, which preprocessing.

Whoever trains several heads on one frozen network runs it once. Each entry is a NumPy file that is
mapped into memory, not read, and beside it a small JSON file that says what it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """What decides features: sha256 of the file and of the network, and how pictures were made."""

    file: str
    network: str
    preprocessing: str

    @property
    def name(self) -> str:
        """The name of its entry: short, and another one as soon as any part is another."""
        whole = json.dumps(asdict(self), sort_keys=True)
        return f"{self.file[:16]}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


def feature_key(file: Path, network: nn.Module, preprocessing: dict[str, Any]) -> FeatureKey:
    """The key of what `network` says of `file`; reads both whole, `preprocessing` is any JSON."""
    with file.open("rb") as opened:
        of_file = hashlib.file_digest(opened, "sha256").hexdigest()
    return FeatureKey(of_file, network_sha256(network), json.dumps(preprocessing, sort_keys=True))


def network_sha256(network: nn.Module) -> str:
    """The sha256 of the layers as printed and of all weights, whatever device they are on."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


class FeatureStore:
    """A folder of features; entries appear whole or not at all, so processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: FeatureKey, compute: Callable[[], Iterable[Rows]]) -> Rows:
        """(N, ...) float32, mapped from disk and not to be written to.

        When there is no such entry, or a damaged one, `compute` gives its rows in parts (n, ...)
        that are written as they come, so they need never be in memory together. ValueError when it
        gives none.
        """
        path = self._folder / f"{key.name}.npy"
        try:
            return _mapped(path)
        except (FileNotFoundError, ValueError):
            self._write(path, key, compute())
        return _mapped(path)

    def _write(self, path: Path, key: FeatureKey, parts: Iterable[Rows]) -> None:
        part = path.with_suffix(".part")
        with part.open("wb") as opened:
            count, shape = 0, None
            for rows in parts:
                if shape is None:
                    shape = rows.shape[1:]
                    _header(opened, (0, *shape))
                if rows.shape[1:] != shape:
                    message = f"features of {shape} and of {rows.shape[1:]} in one file"
                    raise ValueError(message)
                opened.write(np.ascontiguousarray(rows, np.float32).tobytes())
                count += len(rows)
            if shape is None:
                message = f"{path.name}: there are no features to store"
                raise ValueError(message)
            opened.seek(0)
            _header(opened, (count, *shape))
        told = json.dumps({**asdict(key), "shape": [count, *shape]}, indent=2)
        path.with_suffix(".json").write_text(told + "\n", encoding="utf-8")
        part.replace(path)


def _header(opened: IO[bytes], shape: tuple[int, ...]) -> None:
    """The head of a .npy file; NumPy leaves room in it for the first number to grow."""
    fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(opened, fields)


def _mapped(path: Path) -> Rows:
    mapped: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
