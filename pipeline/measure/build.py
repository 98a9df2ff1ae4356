"""What runs here, in words: versions, and the network of a lane."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.lane import Lane

SHA256_DIGITS = 12
LIBRARIES = {"witness": "witness-av", "torch": "torch", "av": "av"}


@cache
def versions(engine: str) -> dict[str, str]:
    """The engine, and the versions of what matters with it."""
    libraries = {**LIBRARIES, "ray": "ray"} if engine == "ray" else LIBRARIES
    found = {name: version(library) for name, library in libraries.items()}
    return {**found, "python": platform.python_version(), "engine": engine}


def network(lane: Lane) -> dict[str, str]:
    """The network of a lane, and what executes it."""
    return {
        "name": lane.card.name,
        "sha256": lane.card.sha256[:SHA256_DIGITS],
        "runtime": lane.runtime,
        "device": lane.device,
    }
