"""Windows -> predictions: the pool member, one generic owner of all networks."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from pipeline.lane import Lane
from pipeline.records import Failure, Feature, Prediction, Window

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Answers:
    """What a pool member said of a batch: one answer a window, in order; and what it cost."""

    lane: str
    answers: list[Prediction | Failure]
    seconds: float


class PoolMember:
    """Owns the networks of all lanes and answers windows of any stream.

    Calls hold pictures of one size and at most the lane's batch; the predictors pad to that fixed
    shape, so an answer never depends on who shares the batch. A window that fails is answered
    with a Failure and harms no other.
    """

    def __init__(self, lanes: Sequence[Lane], threads: int | None = None) -> None:
        import torch

        torch.set_flush_denormal(True)
        if threads:
            torch.set_num_threads(threads)
        self._batches = {lane.name: lane.batch for lane in lanes}
        self._predictors: dict[str, Any] = {lane.name: lane.make_predictor() for lane in lanes}

    def ready(self) -> tuple[str, ...]:
        """The lanes whose networks are loaded."""
        return tuple(self._predictors)

    def predict(self, lane: str, windows: Sequence[Window]) -> Answers:
        """One answer for each window, in the same order, with the seconds they took."""
        started = time.perf_counter()
        answers: list[Prediction | Failure] = []
        for group in _groups(windows, self._batches[lane]):
            answers += _each(self._predictors[lane].predict, group)
        return Answers(lane, answers, time.perf_counter() - started)

    def answer_each(
        self, lane: str, *parts: Sequence[Window]
    ) -> tuple[float | list[Prediction | Failure], ...]:
        """The seconds they took, then the answers of each part: several streams in one batch."""
        answered = self.predict(lane, [window for part in parts for window in part])
        rest = iter(answered.answers)
        return (answered.seconds, *([next(rest) for _ in part] for part in parts))

    def see(self, lane: str, windows: Sequence[Window]) -> list[Feature | Prediction | Failure]:
        """The part of an answer to each window that needs nothing of the windows before it.

        All of it where the network keeps no memory; else what it will `follow`.
        """
        predictor = self._predictors[lane]
        if not hasattr(predictor, "see"):
            return [*self.predict(lane, windows).answers]
        out: list[Feature | Prediction | Failure] = []
        for group in _groups(windows, self._batches[lane]):
            out += _each(predictor.see, group)
        return out

    def follow(
        self, lane: str, seen: Sequence[Feature | Prediction | Failure]
    ) -> list[Prediction | Failure]:
        """The whole answers to what was seen of a stream, in order."""
        out: list[Prediction | Failure] = []
        for known in seen:
            if isinstance(known, Feature):
                out += self._predictors[lane].follow([known])
            else:
                out.append(known)
        return out

    def forget(self, stream: str) -> None:
        """Drops what every network has cached of a stream that has ended."""
        for predictor in self._predictors.values():
            predictor.forget(stream)

    def checkpoint(self) -> bytes:
        """What every network has cached of every stream, for a member that goes on after it."""
        known = {name: predictor.remember() for name, predictor in self._predictors.items()}
        return pickle.dumps(known, protocol=5)

    def restore(self, checkpoint: bytes) -> None:
        """Goes on where another member was; the bytes are that member's own."""
        for name, known in pickle.loads(checkpoint).items():
            self._predictors[name].recall(known)


def _each(
    answer: Callable[[Sequence[Window]], Sequence[Answer]], group: Sequence[Window]
) -> Sequence[Answer | Failure]:
    """What the network says of each window; a Failure for those that it cannot take."""
    try:
        return answer(group)
    except Exception as error:  # whatever a network raises, the other windows go on
        if len(group) == 1:
            return [Failure(group[0].mark, type(error).__name__)]
        return [known for window in group for known in _each(answer, [window])]


def _groups(windows: Sequence[Window], most: int) -> Iterator[list[Window]]:
    for _, same_size in groupby(windows, key=lambda window: window.data.shape):
        held = list(same_size)
        for first in range(0, len(held), most):
            yield held[first : first + most]
