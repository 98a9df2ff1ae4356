"""The footage of the live trials, for trials of what watches them."""

from tests.live.conftest import shoot, yard

__all__ = ["shoot", "yard"]
