"""`witness doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

State = Literal["good", "note", "bad"]

DECODERS, ENCODERS = ("h264", "hevc", "aac", "mp3"), ("libx264", "aac")
SYSTEM_LIBRARIES = "apt-get install -y libgl1 libglib2.0-0"
DISK_WANTED_BYTES = 2**30
# As much as the Ray engine asks for; with less, frames go through files and everything is slow.
SHARED_MEMORY_WANTED_BYTES = 512 * 2**20
_COLOUR = {"good": "green", "note": "yellow", "bad": "red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, what was found, and what to do about it."""

    what: str
    state: State
    found: str
    advice: str = ""


def doctor_command() -> int:
    """0 when the main job can run here, 2 when it cannot."""
    console = Console()
    table = Table()
    for column in ("", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    checks = list(examine())
    for check in checks:
        state = f"[{_COLOUR[check.state]}]{check.state}[/]"
        table.add_row(escape(check.what), state, escape(check.found), escape(check.advice))
    console.print(table)
    bad = [check.what for check in checks if check.state == "bad"]
    if bad:
        console.print(f"[red]the main job cannot run here[/]: see {', '.join(bad)}")
        return 2
    console.print("the main job can run here: `witness demo` shows it", highlight=False)
    return 0


def examine() -> Iterable[Check]:
    """Every check, in the order in which a person would go about it."""
    ours = (_python, _torch, _torchvision, _ffmpeg, _opencv, _ray, _runtimes, _shared_memory)
    for check in ours:
        yield _guarded(check)
    yield disk("results", Path("out"))
    yield disk("cache", Path(os.environ.get("WITNESS_CACHE") or Path.home() / ".cache" / "witness"))
    yield from (_guarded(_weights_check(name)) for name in default_weights())


def default_weights() -> tuple[str, ...]:
    """The checkpoints that a run without a config uses; not every lane needs one."""
    from pipeline.config.schema import RunConfig

    named = (lane.model_dump().get("weights") for lane in RunConfig().lanes)
    return tuple(str(weights) for weights in named if weights)


def disk(what: str, folder: Path) -> Check:
    """Whether `folder`, or the nearest one above it that exists, can be written and has room."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    found = f"{_size(free)} free at {folder}"
    if not os.access(there, os.W_OK) or not there.is_dir():
        return Check(what, "bad", f"{there} cannot be written", "choose another folder with --out")
    if free < DISK_WANTED_BYTES:
        return Check(what, "note", found, f"make room: {_size(DISK_WANTED_BYTES)} is comfortable")
    return Check(what, "good", found)


def opencv_flavours() -> list[str]:
    """The installed distributions that bring a `cv2`, sorted; more than one overwrite each other.

    Distributions may be found twice on the path; each is told once.
    """
    names = {str(found.metadata["Name"] or "").lower() for found in distributions()}
    return sorted(name for name in names if name.startswith("opencv-"))


def _guarded(check: Callable[[], Check]) -> Check:
    """The check's own line, or a bad one: a library that cannot be imported is what we look for."""
    try:
        return check()
    except (ImportError, OSError, RuntimeError, PackageNotFoundError) as error:
        lines = str(error).splitlines()
        name = check.__name__.strip("_")
        advice = "install again: pip install --force-reinstall witness-av"
        return Check(name, "bad", lines[0] if lines else type(error).__name__, advice)


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "good", found)
    return Check("Python", "bad", found, "use Python 3.11, 3.12 or 3.13")


def _torch() -> Check:
    import torch

    found = (
        f"{torch.__version__}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}{_bfloat16()}"
    )
    if torch.cuda.is_available():
        return Check("torch", "good", f"{found}, GPU {torch.cuda.get_device_name(0)}")
    return Check("torch", "good", f"{found}, no GPU", "nothing: the demo runs on a CPU")


def _bfloat16() -> str:
    """What the processor says of bfloat16, where it says it at all (Linux on x86)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return ""
    return ", bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags) else ", no bfloat16"


def _torchvision() -> Check:
    # Where the two do not fit, torchvision imports well and fails at its first own operator.
    import torch
    from torchvision.ops import nms

    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    return Check("torchvision", "good", version("torchvision"))


def _ffmpeg() -> Check:
    from pipeline.media.capabilities import capabilities

    able = capabilities(DECODERS, ENCODERS)
    hardware = ", ".join(able.hardware) or "none"
    found = f"{able.ffmpeg} in PyAV {able.pyav}; built for decoding on: {hardware}"
    if able.missing:
        advice = "use PyAV's own wheel: pip install --force-reinstall --only-binary av av"
        return Check("FFmpeg", "bad", f"{found}; lacks {', '.join(able.missing)}", advice)
    return Check("FFmpeg", "good", f"{found}; {', '.join(DECODERS)} in, {', '.join(ENCODERS)} out")


def _opencv() -> Check:
    flavours = opencv_flavours()
    if len(flavours) > 1:
        advice = (
            f"they overwrite each other: pip uninstall -y {' '.join(flavours)}, "
            "then pip install opencv-python"
        )
        return Check("OpenCV", "bad", ", ".join(flavours), advice)
    try:
        import cv2
    except ImportError as error:
        return Check("OpenCV", "bad", str(error), f"on Debian: {SYSTEM_LIBRARIES}")
    return Check("OpenCV", "good", f"{cv2.__version__} ({', '.join(flavours)})")


def _ray() -> Check:
    if find_spec("ray") is None:
        return Check("Ray", "note", "not installed", "pip install ray, or use --engine local")
    address = os.environ.get("RAY_ADDRESS")
    if address:
        return Check("Ray", "good", f"{version('ray')}, joins the cluster at {address}")
    return Check("Ray", "good", f"{version('ray')}, started for each job and stopped after it")


def _runtimes() -> Check:
    from models.runtime import RUNTIMES, RuntimeUnavailable, get_runtime

    there, advice = [], []
    for name in RUNTIMES:
        try:
            runtime = get_runtime(name)
        except RuntimeUnavailable as reason:
            advice.append(str(reason).removeprefix(f"runtime {name} in float32: "))
            continue
        versions = " ".join(runtime.versions().values())
        there.append(f"{name} {versions}".strip())
    return Check("runtimes", "note" if advice else "good", ", ".join(there), "; ".join(advice))


def _shared_memory() -> Check:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return Check("shared memory", "good", f"not a place of its own on {platform.system()}")
    free = shutil.disk_usage(shared).free
    found = f"{_size(free)} free at {shared}"
    if free < SHARED_MEMORY_WANTED_BYTES:
        wanted = _size(SHARED_MEMORY_WANTED_BYTES)
        advice = f"Ray wants {wanted}; in a container: --shm-size=1g; or use --engine local"
        return Check("shared memory", "note", found, advice)
    return Check("shared memory", "good", found)


def _weights_check(name: str) -> Callable[[], Check]:
    def weights() -> Check:
        from models.card import CheckpointError
        from models.checkpoint import load, resolve

        try:
            card, state = load(name)
        except CheckpointError as error:
            return Check(f"weights {name}", "bad", str(error), "get witness again, whole")
        size = _size(resolve(name).stat().st_size)
        parameters = sum(tensor.numel() for tensor in state.values())
        found = f"{size}, {parameters:,} numbers, sha256 {card.sha256[:12]} checked"
        return Check(f"weights {name}", "good", found)

    return weights


def _size(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
