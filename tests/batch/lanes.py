"""Lanes that hang, or take their process with them, at certain videos."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Any

from pipeline.lane import Lane, Predictor, Stateless, Windower
from pipeline.records import Item, Prediction, Window


def hanging_lane(lane: Lane, name: str) -> Lane:
    """The same lane, but it never comes back from videos that are called so."""
    return replace(lane, make_windower=partial(_windower, lane, name))


def deadly_lane(lane: Lane, name: str) -> Lane:
    """The same lane, but its process is killed at videos that are called so."""
    return replace(lane, make_predictor=partial(DeadlyPredictor, lane, name))


def _windower(lane: Lane, name: str, stream: str) -> Any:
    inner = lane.make_windower(stream)
    return HangingWindower(inner) if name in stream else inner


@dataclass
class HangingWindower:
    """Waits for what never happens once it is given something."""

    inner: Windower

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def push(self, _item: Item) -> Iterable[Window]:
        Event().wait()
        return ()


class DeadlyPredictor(Stateless):
    """Ends its process, as the kernel does when memory runs out."""

    def __init__(self, lane: Lane, name: str) -> None:
        self._inner: Predictor = lane.make_predictor()
        self._name = name

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        if any(self._name in window.mark.stream for window in windows):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._inner.predict(windows)
