"""What answers in the lanes that ship as fakes: arithmetic in the place of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.lane import Predictor, Stateless
from pipeline.masks import encode
from pipeline.records import InstanceMask, Prediction, Window

SOUND_HZ = 8000
STEP_S = Fraction(1, 20)


class BrightnessPredictor(Stateless):
    """The mean of a picture, 0..1, as the score of `bright`."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(1, 2) scores a window."""
        means = [float(window.data.mean()) / 255 for window in windows]
        return [
            Prediction(window.mark, scores=np.array([[1 - mean, mean]], np.float32))
            for window, mean in zip(windows, means, strict=True)
        ]


class LoudnessPredictor:
    """A level that follows the sound and decays, one stream's state for each stream."""

    def __init__(self) -> None:
        self._levels: dict[str, float] = {}

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(K, 2) scores a window, one row for every `STEP_S`."""
        return [Prediction(window.mark, scores=self._scores(window)) for window in windows]

    def forget(self, stream: str) -> None:
        """Drops the level of a stream that has ended."""
        self._levels.pop(stream, None)

    def remember(self) -> dict[str, Any]:
        """The levels by stream."""
        return dict(self._levels)

    def recall(self, known: dict[str, Any]) -> None:
        """Goes on from these levels."""
        self._levels = dict(known)

    def _scores(self, window: Window) -> NDArray[np.float32]:
        mark = window.mark
        level = 0.0 if mark.fresh else self._levels.get(mark.stream, 0.0)
        rows = []
        for part in window.data.reshape(-1, int(STEP_S * SOUND_HZ)):
            level = max(0.5 * level, min(1.0, 4 * float(np.sqrt(np.mean(part**2)))))
            rows.append([1 - level, level])
        self._levels[mark.stream] = level
        return np.array(rows, np.float32)


class BlobPredictor(Stateless):
    """Connected bright patches of at least 4 px, largest first."""

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """The patches of each window; boxes in px of the source frame."""
        return [Prediction(window.mark, instances=self._blobs(window)) for window in windows]

    def _blobs(self, window: Window) -> tuple[InstanceMask, ...]:
        import cv2

        height, width = window.data.shape[:2]
        wide, high = window.mark.size or (width, height)
        bright = (window.data.min(axis=2) > 200).astype(np.uint8)
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(bright)
        found = []
        for number, (left, top, across, down, count) in enumerate(stats.tolist()):
            if number == 0 or count < 4:
                continue
            box = (
                left * wide / width,
                top * high / height,
                (left + across) * wide / width,
                (top + down) * high / height,
            )
            scaled = cv2.resize((numbers == number).astype(np.uint8), (wide, high))
            score = count / (across * down)
            found.append(InstanceMask("blob", score, box, encode(scaled.astype(bool))))
        return tuple(sorted(found, key=lambda blob: (-blob.score, blob.box)))


class FailingPredictor:
    """Another predictor, but it raises on each `every`-th window of a stream."""

    def __init__(self, make: Callable[[], Predictor], every: int) -> None:
        self._inner = make()
        self._every = every

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """What the other one says; ArithmeticError when a window's turn has come."""
        for window in windows:
            if window.mark.index % self._every == self._every - 1:
                message = f"window {window.mark.index} fails on purpose"
                raise ArithmeticError(message)
        return self._inner.predict(windows)

    def forget(self, stream: str) -> None:
        """Passes it on."""
        self._inner.forget(stream)

    def remember(self) -> Any:
        """Passes it on."""
        return self._inner.remember()

    def recall(self, known: Any) -> None:
        """Passes it on."""
        self._inner.recall(known)
