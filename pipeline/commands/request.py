"""What `witness run` is asked for, and how it answers: shared by files and live streams."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pipeline.errors import ConfigError

GOOD, USAGE, SOURCE_FAILED, INTERRUPTED = 0, 2, 3, 130


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asked for."""

    addresses: tuple[str, ...]
    config: Path | None
    out: Path
    engine: str
    device: str
    lanes: str | None
    metrics_port: int | None
    offline: bool
    names: tuple[str, ...] | None = None
    truth: Path | None = None


def example(name: str) -> Path:
    """A file of the examples: beside the packages in a checkout, inside them when installed."""
    inside = Path(str(files("pipeline"))) / "examples" / name
    beside = Path(str(files("pipeline"))).parent / "examples" / name
    for path in (inside, beside):
        if path.is_file():
            return path
    message = f"the example {name} is missing from this installation; install witness-av again"
    raise ConfigError(message)
