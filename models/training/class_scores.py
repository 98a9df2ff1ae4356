"""How well labels were told apart: confusion, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ClassScores:
    """`confusion[t, s]` counts examples of label t that were called label s."""

    labels: tuple[str, ...]
    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The share of the examples that got their label."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))

    @property
    def recalls(self) -> NDArray[np.float64]:
        """The share of each label's examples that got it; 0 where there are none."""
        return _shares(np.diag(self.confusion), self.confusion.sum(1))

    @property
    def precisions(self) -> NDArray[np.float64]:
        """The share of those called by each label that are of it; 0 where none was."""
        return _shares(np.diag(self.confusion), self.confusion.sum(0))

    @property
    def f1(self) -> NDArray[np.float64]:
        """The harmonic mean of precision and recall of each label."""
        return _shares(2 * np.diag(self.confusion), self.confusion.sum(0) + self.confusion.sum(1))

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the labels that occur."""
        present = self.confusion.sum(1) > 0
        return float(self.recalls[present].mean()) if present.any() else 0.0

    def to_json(self) -> dict[str, Any]:
        """Figures for a card or a file, rounded to 4 decimals."""
        rows = zip(self.labels, self.precisions, self.recalls, self.f1, self.confusion, strict=True)
        return {
            "examples": int(self.confusion.sum()),
            "accuracy": round(self.accuracy, 4),
            "balanced_accuracy": round(self.balanced_accuracy, 4),
            "labels": {
                label: {
                    "examples": int(row.sum()),
                    "precision": round(float(precision), 4),
                    "recall": round(float(recall), 4),
                    "f1": round(float(f1), 4),
                }
                for label, precision, recall, f1, row in rows
                if row.sum()
            },
            "confusion": {
                label: {other: int(n) for other, n in zip(self.labels, row, strict=True) if n}
                for label, row in zip(self.labels, self.confusion, strict=True)
                if row.sum()
            },
        }


def _shares(parts: NDArray[np.int64], wholes: NDArray[np.int64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = parts / np.maximum(1, wholes)
    return shares


def class_scores(labels: Sequence[str], truth: Sequence[str], said: Sequence[str]) -> ClassScores:
    """The scores of what was said of examples whose labels are `truth`; all are in `labels`."""
    numbers = {label: number for number, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for true, called in zip(truth, said, strict=True):
        confusion[numbers[true], numbers[called]] += 1
    return ClassScores(tuple(labels), confusion)
