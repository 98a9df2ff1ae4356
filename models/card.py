"""What a checkpoint says of itself, readable without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


class CheckpointError(Exception):
    """A checkpoint or its card is missing, damaged, or not what was asked for."""


@dataclass(frozen=True, slots=True)
class Card:
    """The card beside a checkpoint; `name.json` beside `name.safetensors`.

    `network` is the `kind` of the network and `architecture` the keyword arguments that rebuild
    it; `preprocessing` is what the weights expect of their input. `sha256` is that of the
    safetensors file. `heldout` holds only figures measured on data that neither training nor
    tuning saw.
    """

    name: str
    network: str
    labels: tuple[str, ...]
    architecture: dict[str, Any]
    preprocessing: dict[str, Any]
    sha256: str = ""
    summary: str = ""
    licence: str = "Apache-2.0"
    data: list[dict[str, str]] = field(default_factory=list)
    split: str = ""
    heldout: dict[str, Any] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)
    training: dict[str, Any] = field(default_factory=dict)
    postprocessing: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The card as indented JSON with a newline at the end."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Card:
        """The card in a JSON file; CheckpointError when it is missing, damaged or incomplete."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            message = f"{path}: no card beside the weights; every checkpoint needs one"
            raise CheckpointError(message) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            message = f"{path}: the card is not valid JSON ({error})"
            raise CheckpointError(message) from error
        names = {f.name for f in fields(cls)}
        required = {"name", "network", "labels", "architecture", "preprocessing"}
        if not isinstance(raw, dict) or not required <= raw.keys() or not raw.keys() <= names:
            message = f"{path}: not a checkpoint card; it needs {sorted(required)}"
            raise CheckpointError(message)
        return cls(**{**raw, "labels": tuple(raw["labels"])})
