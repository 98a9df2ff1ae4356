"""What a network that names labels learns from: the labels, and what a teacher says of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Softened:
    """How a teacher's answers count: by `weight` (0 to 1), softened by `temperature`."""

    weight: float = 0.7
    temperature: float = 3.0


class LabelLoss:
    """A mean over all rows that have a label, each counting by the weight of its label.

    Cross-entropy, and with a teacher's logits the divergence from its softened scores to the
    student's (Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015):
    `(1 - a) * CE + a * T^2 * KL(teacher / T || student / T)`, both over the same rows and weights.
    """

    def __init__(
        self,
        classes: int,
        weights: Tensor | None,
        ignored: int,
        label_smoothing: float = 0.0,
        softened: Softened | None = None,
    ) -> None:
        self._weights = torch.ones(classes) if weights is None else weights
        self._ignored, self._smoothing, self._softened = ignored, label_smoothing, softened

    def __call__(self, logits: Tensor, targets: Tensor, teacher: Tensor | None = None) -> Tensor:
        """Logits (..., classes) and labels (...) -> a scalar; 0 where no row has a label."""
        logits, targets = logits.flatten(0, -2), targets.flatten()
        rows = self._of_rows(targets).to(logits)
        total = F.cross_entropy(
            logits,
            targets,
            self._weights.to(logits),
            ignore_index=self._ignored,
            label_smoothing=self._smoothing,
            reduction="sum",
        )
        if teacher is not None and self._softened is not None:
            share, hot = self._softened.weight, self._softened.temperature
            apart = F.kl_div(
                (logits / hot).log_softmax(-1),
                (teacher.flatten(0, -2) / hot).log_softmax(-1),
                reduction="none",
                log_target=True,
            ).sum(-1)
            total = (1 - share) * total + share * hot**2 * (rows * apart).sum()
        return total / rows.sum().clamp_min(1e-12)

    def weight(self, targets: Tensor) -> float:
        """What the loss of these labels is divided by."""
        return float(self._of_rows(targets.flatten()).sum())

    def _of_rows(self, targets: Tensor) -> Tensor:
        known = targets != self._ignored
        return self._weights.to(targets.device)[targets.where(known, 0)] * known
