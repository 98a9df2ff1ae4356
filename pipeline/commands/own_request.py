"""What was asked of a training on data of one's own: its numbers, its place, its helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.markup import escape

from pipeline.commands.own_report import BoardWriter, DataError, make_folder
from pipeline.errors import ConfigError, WorkerLost

if TYPE_CHECKING:
    from models.training.distil import Teacher
    from models.training.label_loss import Softened
    from models.training.parallel import Workers
    from models.training.settings import Settings, Workplace


R = TypeVar("R")

TAUGHT = ("sound", "frames")


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """What the command line asked for; `options` are those of `Settings` that were given.

    `workers` processes share the work. `distil` is the checkpoint of a teacher and `softened` how
    its answers count, where that was given.
    """

    network: str
    data: Path
    out: Path
    recipe: str | None = None
    trunk: str | None = None
    root: Path | None = None
    resume: bool = False
    tensorboard: bool = False
    workers: int = 1
    distil: str | None = None
    softened: dict[str, float | None] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@contextmanager
def workplace(request: OwnRequest, console: Console) -> Iterator[Workplace]:
    """Where a run writes, its folder made; people are told what is kept of one that stops."""
    from models.training.dataset import DatasetError
    from models.training.errors import TrainingError
    from models.training.settings import Workplace

    workers = team_of(request.workers)
    make_folder(request.out)
    board = BoardWriter(request.out / "tensorboard") if request.tensorboard else None
    place = Workplace(request.out, request.resume, board, workers)
    if request.resume and not place.state_path.is_file():
        console.print(f"{escape(str(request.out))} keeps no run to resume: begins anew")
    try:
        yield place
    except (DatasetError, TrainingError) as error:
        raise DataError(str(error)) from error
    except (KeyboardInterrupt, WorkerLost):
        if place.state_path.is_file():
            console.print("the run is kept: give the same command with --resume to go on")
        raise
    finally:
        if board is not None:
            board.close()


def team_of(workers: int) -> Workers | None:
    """What spreads a training over so many processes; None for this process alone, without Ray.

    ConfigError when that cannot be.
    """
    if workers < 1:
        message = f"--workers {workers}: at least 1 is needed"
        raise ConfigError(message)
    if workers == 1:
        return None
    from pipeline.run.ray_train import check_packages, train_parallel

    check_packages()
    return partial(train_parallel, workers)


def settings_of(settings: Settings, request: OwnRequest) -> Settings:
    """The recipe's settings with those that were asked for; ConfigError for impossible ones."""
    from models.training.extras import SCHEDULES

    given = {name: value for name, value in request.options.items() if value is not None}
    for name in sorted(given.keys() - {one.name for one in fields(settings)}):
        message = f"--{name.replace('_', '-')}: not for `{request.network}`"
        raise ConfigError(message)
    made = replace(settings, **given)
    wrong = [
        (made.steps < 1, f"--steps {made.steps}: at least 1 step is needed"),
        (made.batch < 1, f"--batch {made.batch}: at least 1 example is needed"),
        (
            made.batch < request.workers,
            f"--batch {made.batch}: at least 1 example for each of {request.workers} workers",
        ),
        (not made.learning_rate > 0, f"--learning-rate {made.learning_rate}: more than 0 is"),
        (
            made.ema is not None and not 0 <= made.ema < 1,
            f"--ema {made.ema}: it is from 0 to below 1",
        ),
        (made.weight_decay < 0, f"--weight-decay {made.weight_decay}: it is 0 or more"),
        (not 0 <= made.dropout < 1, f"--dropout {made.dropout}: it is from 0 to below 1"),
        (
            not 0 <= made.label_smoothing < 1,
            f"--label-smoothing {made.label_smoothing}: it is from 0 to below 1",
        ),
        (
            made.schedule not in SCHEDULES,
            f"--schedule {made.schedule}: there are {', '.join(SCHEDULES)}",
        ),
        (made.check_every < 1, f"--check-every {made.check_every}: at least 1 step is needed"),
        (
            made.patience is not None and made.patience < 1,
            f"--patience {made.patience}: at least 1 check is needed",
        ),
    ]
    for broken, message in wrong:
        if broken:
            raise ConfigError(message)
    return made


def check_taught(request: OwnRequest) -> None:
    """ConfigError for a teacher where none can teach, for impossible numbers, or numbers alone."""
    given = [f"--distil-{name}" for name, value in request.softened.items() if value is not None]
    if request.distil is not None:
        given.insert(0, f"--distil-from {request.distil}")
    if given and request.network not in TAUGHT:
        message = f"{given[0]}: only {' and '.join(TAUGHT)} learn from a teacher"
        raise ConfigError(message)
    if given and request.distil is None:
        message = f"{given[0]}: name the teacher with --distil-from"
        raise ConfigError(message)
    weight, temperature = (request.softened.get(name) for name in ("weight", "temperature"))
    if weight is not None and not 0 <= weight <= 1:
        message = f"--distil-weight {weight}: it is from 0 to 1"
        raise ConfigError(message)
    if temperature is not None and not temperature > 0:
        message = f"--distil-temperature {temperature}: more than 0 is needed"
        raise ConfigError(message)


def teacher_of(
    request: OwnRequest, read_teacher: Callable[[str, Softened], Teacher]
) -> Teacher | None:
    """The teacher that was asked for, if any; CheckpointError when the file holds none."""
    from models.training.label_loss import Softened

    if request.distil is None:
        return None
    given = {name: value for name, value in request.softened.items() if value is not None}
    return read_teacher(request.distil, Softened(**given))


def chosen(recipes: dict[str, R], name: str | None, default: str) -> R:
    """The recipe of that name; ConfigError tells which there are."""
    if (name or default) not in recipes:
        message = f"--recipe {name}: there are {', '.join(recipes)}"
        raise ConfigError(message)
    return recipes[name or default]


def name_of(data: Path) -> str:
    """The name of a checkpoint after its data."""
    return data.resolve().stem or "own"
