"""What is executed and what executes it: parts, executions, runtimes; no library is imported."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    from torch import Tensor, nn

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class RuntimeUnavailable(Exception):  # noqa: N818 - named for what happened
    """A runtime cannot be used here: a library, a compiler or a kind of CPU is missing."""


class ExportRefused(Exception):  # noqa: N818
    """An exported network does not answer as torch eager does, or cannot be exported at all."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a network that takes tensors and gives tensors, and keeps nothing between calls.

    `module(*inputs)` returns a tuple of `outputs`; `example` are inputs it can take. `dynamic`
    names the axes of each input and output that may differ from call to call. `per_shape` says
    that shapes are few and calls are long, so that compiling for each shape is worth its time.
    """

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    example: tuple[Tensor, ...]
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    per_shape: bool = False


class Execution(Protocol):
    """A part made ready by a runtime. Not thread-safe."""

    @abstractmethod
    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the part, float32 on the device of the inputs; the caller owns them."""


class Runtime(Protocol):
    """A way to execute parts."""

    name: str

    def unavailable(self, precision: Precision, device: str) -> str | None:
        """Why it cannot be used for this, as a sentence for a person; None when it can."""

    def versions(self) -> dict[str, str]:
        """The versions of what it adds to torch: they can change a result."""

    def prepare(self, part: Part, precision: Precision) -> Execution:
        """The part, ready to be called; it runs on as many threads as torch does."""


def as_tuple(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a module returned, as a tuple in any case."""
    return answer if isinstance(answer, tuple) else (answer,)
