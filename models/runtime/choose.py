"""Which runtime a network runs fastest in here, among those that answer as torch eager does."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.runtime import RuntimeName, get_runtime
from models.runtime.base import ExportRefused, RuntimeUnavailable
from models.runtime.networks import Loaded, Picture

CANDIDATES: tuple[RuntimeName, ...] = ("eager", "onnx", "openvino")
"""`compiled` is chosen by name only: it compiles for longer than a measurement may last."""

_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime that was fastest, the time of a call in each, and why others were left out."""

    runtime: RuntimeName
    call_ms: dict[str, float]
    left_out: dict[str, str]

    @property
    def told(self) -> str:
        """The choice in one line, for a person."""
        times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.call_ms.items())
        out = "".join(f"; without {name}: {why}" for name, why in self.left_out.items())
        return f"{self.runtime} ({times} a call{out})"


def choose(
    loaded: Loaded,
    pictures: Sequence[Picture],
    candidates: Sequence[RuntimeName] = CANDIDATES,
    device: str = "cpu",
) -> Choice:
    """The fastest float32 runtime, by the median of a few calls taken in turn.

    Only runtimes are timed that are installed and whose answers, compared now, are eager's.
    """
    calls: dict[RuntimeName, Callable[[], object]] = {}
    left_out: dict[str, str] = {}
    for name in candidates:
        try:
            running = loaded.run(get_runtime(name, "float32", device), "float32")
            if name != "eager":
                loaded.compare(running, pictures).require(name, "float32")
        except (RuntimeUnavailable, ExportRefused) as error:
            left_out[name] = str(error)
            continue
        calls[name] = loaded.call(running, pictures)
    times: dict[RuntimeName, list[float]] = {name: [] for name in calls}
    for measured in range(_ROUNDS + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if measured:  # the first is for warming up
                times[name].append(1000 * (time.perf_counter() - began))
    medians = {name: statistics.median(values) for name, values in times.items()}
    fastest = min(medians, key=lambda name: medians[name])
    return Choice(fastest, {str(name): ms for name, ms in medians.items()}, left_out)
