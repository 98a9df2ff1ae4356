"""What `witness label` and `train` share: frames for recipes, and errors a person can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from models.card import CheckpointError
from pipeline.errors import ConfigError, WitnessError
from pipeline.media.decode import Decoder
from pipeline.records import Frame

GOOD, USAGE, FAILED, INTERRUPTED = 0, 2, 3, 130


class SourceFrames:
    """The pictures of a source: each call decodes it anew, so that a recipe may look twice.

    `until_s` leaves out what comes later. `tell` hears the index of each frame.
    """

    def __init__(
        self, source: str, until_s: float | None = None, tell: Callable[[int], None] | None = None
    ) -> None:
        self.source = source
        # The decimal that was typed, not the float nearest to it: 47.7 s is where a frame begins.
        self._until = None if until_s is None else Fraction(str(until_s))
        self._tell = tell

    def __call__(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(index, (H, W, 3) RGB) of every frame, in order; SourceError when it cannot be read."""
        with Decoder(self.source, media={"video"}) as decoder:
            for item in decoder.items():
                if not isinstance(item, Frame):
                    continue
                if self._until is not None and item.span.start >= self._until:
                    return
                if self._tell is not None:
                    self._tell(item.index)
                yield item.index, item.pixels.rgb(item.pixels.width, item.pixels.height)


def frames_of(path: Path) -> SourceFrames:
    """The pictures of a file of a data package."""
    return SourceFrames(str(path))


def finish(console: Console, work: Callable[[], None]) -> int:
    """The exit code of a recipe: 0, 2 for bad usage, 3 when it failed, 130 after Ctrl-C.

    The recipes' own errors tell what to do; what is not meant for a person still shows its trace.
    """
    try:
        work()
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: no result was written")
        return INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in {"sklearn", "scipy"}:
            raise
        return _error(
            console,
            f"{missing} is not installed; recipes need the train extra: "
            "pip install 'witness-av[train]'",
            USAGE,
        )
    except (ConfigError, CheckpointError) as error:
        return _error(console, str(error), USAGE)
    except WitnessError as error:
        return _error(console, str(error), FAILED)
    except Exception as error:
        if not _recipe_error(error):
            raise
        return _error(console, str(error), FAILED)
    return GOOD


def _recipe_error(error: Exception) -> bool:
    from models.training.packages import PackageError
    from models.training.scene import SceneError

    return isinstance(error, PackageError | SceneError)


def _error(console: Console, message: str, code: int) -> int:
    console.print(f"[red]error[/] {escape(message)}", soft_wrap=True, highlight=False)
    return code
