"""What people see of a training on their data: notes, tables, pictures, TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.errors import ConfigError, WitnessError
from pipeline.whole import output_error, whole_file

if TYPE_CHECKING:
    from models.training.class_scores import ClassScores
    from models.training.dataset import Example, Split
    from models.training.distil import Measured
    from models.training.settings import Trained

TOLD_AT_MOST = 10


class DataError(WitnessError):
    """Data of one's own will not do, or a training on it cannot go on."""


def make_folder(out: Path) -> None:
    """Makes the folder that results go to; OutputError now rather than after a long training."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".writable").touch()
        (out / ".writable").unlink()
    except OSError as error:
        raise output_error(out, error) from error


def tell(console: Console, lines: Sequence[str]) -> None:
    """Warnings, the first few of them in full."""
    for line in lines[:TOLD_AT_MOST]:
        console.print(f"[yellow]note[/] {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > TOLD_AT_MOST:
        console.print(f"[yellow]note[/] and {len(lines) - TOLD_AT_MOST} more like these")


def show_unreadable(console: Console, unreadable: dict[Example, str]) -> None:
    """What is left out, and why."""
    tell(console, [f"left out: {one.name}: {why}" for one, why in unreadable.items()])


def show_scores(console: Console, scores: ClassScores) -> None:
    """A table of precision, recall and F1 of every label that occurs, and the two accuracies."""
    table = Table("label", "examples", "precision", "recall", "F1", title="on held-out data")
    figures = scores.to_json()
    for label, row in figures["labels"].items():
        numbers = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(escape(label), str(row["examples"]), *numbers)
    console.print(table)
    console.print(
        f"accuracy {figures['accuracy']:.3f}, balanced {figures['balanced_accuracy']:.3f}, "
        f"of {figures['examples']} examples",
        highlight=False,
    )


def show_compared(console: Console, compared: Sequence[Measured]) -> None:
    """A table of what each network reaches on the test files, and what it costs here."""
    unit = compared[0].unit
    table = Table("network", "accuracy", "balanced", "parameters", f"ms a {unit}")
    table.title = f"on the same test files; time of one {unit} of one stream on this machine"
    for one in compared:
        reached = (f"{share:.3f}" for share in (one.scores.accuracy, one.scores.balanced_accuracy))
        table.add_row(escape(one.name), *reached, f"{one.parameters:,}", f"{one.ms:.2f}")
    console.print(table)


def show_counts(
    console: Console, counts: Mapping[str, Mapping[Split, int]], title: str = "labelled files"
) -> None:
    """A table of how many files, or what else the title says, of each label each split has."""
    table = Table("label", "train", "validation", "test", title=title)
    for label, row in counts.items():
        table.add_row(escape(label), str(row["train"]), str(row["validation"]), str(row["test"]))
    console.print(table)


def write_pictures(out: Path, trained: Trained) -> None:
    """Writes curves.png and confusion.png; OutputError when that cannot be."""
    from models.training.curves import learning_curves, png

    with whole_file(out / "curves.png") as part:
        part.write_bytes(png(learning_curves(trained.log.losses, trained.log.scores)))
    write_confusion(out, trained.test)


def write_confusion(out: Path, scores: ClassScores) -> None:
    """Writes confusion.png; OutputError when that cannot be."""
    from models.training.curves import confusion_matrix, png

    with whole_file(out / "confusion.png") as part:
        part.write_bytes(png(confusion_matrix(scores)))


class BoardWriter:
    """Writes every number of a run for TensorBoard; `close` puts the rest on the disk."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            message = (
                "--tensorboard: tensorboard is not installed: pip install 'witness-av[tensorboard]'"
            )
            raise ConfigError(message) from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, name: str, step: int, value: float) -> None:
        """Takes the number of that name after so many steps."""
        self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Puts on the disk what is not there yet."""
        self._writer.close()
