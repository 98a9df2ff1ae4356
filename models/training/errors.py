"""What trainings raise."""

from __future__ import annotations


class TrainingError(ValueError):
    """A training cannot go on, or cannot be as it was asked for."""
