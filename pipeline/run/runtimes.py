"""`runtime: auto` becomes the name of a runtime, once per job, by a short measurement."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from models.card import CheckpointError
from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError, LaneError
from pipeline.records import Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.runtime import RuntimeName
    from pipeline.lanes import LaneConfig

KEPT = "runtimes.json"
_LIBRARIES = ("torch", "torchvision", "onnxruntime", "openvino")


def check_runtimes(config: RunConfig, device: str) -> None:
    """Nothing; ConfigError names a lane whose runtime cannot be used here, and says why."""
    from models.runtime import RuntimeUnavailable, get_runtime
    from pipeline.config.base import settled

    for lane in config.lanes:
        try:
            get_runtime(settled(lane.runtime), lane.precision, device)
        except RuntimeUnavailable as error:
            message = f"lane {lane.name}: {error}"
            raise ConfigError(message) from error


def settle_runtimes(
    config: RunConfig, device: str, out: Path, clip: Path, tell: Callable[[str], None]
) -> RunConfig:
    """The config with every `auto` replaced; `tell` hears each choice and the times behind it.

    What was chosen is kept in OUT/runtimes.json, and a job that goes on there keeps it, unless
    weights, machine or libraries are others. `clip` has the pictures that are measured with.
    """
    if not any(lane.runtime == "auto" for lane in config.lanes):
        return config
    kept = _read(out / KEPT)
    lanes = []
    for lane in config.lanes:
        if lane.runtime != "auto":
            lanes.append(lane)
            continue
        key = _key(lane, device)
        if key not in kept:
            kept[key], told = _choose(lane, device, clip)
            tell(f"lane {lane.name}: runtime {told}")
        lanes.append(lane.model_copy(update={"runtime": kept[key]}))
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{KEPT}.part"
    part.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    part.replace(out / KEPT)
    return config.model_copy(update={"lanes": tuple(lanes)})


def runtime_versions(config: RunConfig) -> dict[str, str]:
    """The versions of the libraries that execute the networks of a settled config."""
    from models.runtime import get_runtime
    from pipeline.config.base import settled

    found: dict[str, str] = {}
    for lane in config.lanes:
        name = settled(lane.runtime)
        if name not in ("eager", "compiled"):
            found |= get_runtime(name).versions()
    return found


def _choose(lane: LaneConfig, device: str, clip: Path) -> tuple[RuntimeName, str]:
    """The runtime of a lane, and the line that says why."""
    if lane.precision != "float32":
        message = f"lane {lane.name}: `runtime: auto` is for float32; name a runtime for bfloat16"
        raise ConfigError(message)
    if device != "cpu":
        return "eager", f"eager (the others run on the CPU, this job on {device})"
    from models.runtime.choose import choose
    from models.runtime.networks import load_any

    try:
        loaded = load_any(lane.weights)
    except CheckpointError as error:
        raise LaneError(str(error)) from error
    choice = choose(loaded, pictures_of(clip))
    return choice.runtime, choice.told


def pictures_of(source: str | Path, count: int = 3, every: int = 20) -> list[NDArray[np.uint8]]:
    """Pictures of a source, RGB, one in `every` frames; SourceError when it has none to give."""
    from pipeline.media.decode import Decoder

    pictures: list[NDArray[np.uint8]] = []
    with Decoder(str(source), media={"video"}) as decoder:
        for item in decoder.items():
            if isinstance(item, Frame) and item.index % every == 0:
                pictures.append(item.pixels.rgb(item.pixels.width, item.pixels.height))
            if len(pictures) == count:
                break
    return pictures


def _key(lane: LaneConfig, device: str) -> str:
    """All that a choice depends on."""
    try:
        sha256 = lane.build(device, offline=True).card.sha256
    except CheckpointError as error:
        raise LaneError(str(error)) from error
    libraries = [f"{name} {found}" for name in _LIBRARIES if (found := _version(name))]
    return " | ".join([lane.name, sha256[:12], device, platform.machine(), *libraries])


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _read(file: Path) -> dict[str, RuntimeName]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}
