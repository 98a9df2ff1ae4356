"""Gates: frames in which nothing changes are not worth a network's time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from pipeline.config.base import Score, Seconds, StrictModel
from pipeline.lane import Gate
from pipeline.lanes.packet_gate import PacketGateConfig, VectorGateConfig
from pipeline.records import Frame

LEAST_PX = 160
"""So many pixels across are looked at: a person of 1/40 of the picture's width still covers 4."""
OTHER_PICTURE = 0.6
"""From this share of changed pixels on it is another picture: the lamp, the camera's direction."""
NOISE_LEVELS = 6.0
"""A pixel's change must be so many times the mean change of those that stand still."""

Point = tuple[Score, Score]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3)]


class MotionGateConfig(StrictModel):
    """Withholds frames in which nothing moves, by comparing them with a slowly learnt background.

    A pixel has changed when its brightness (0 to 255) is `least_change` off the background, at
    a width of 160 to 319 px; more, where the picture is noisy. A frame passes when `least_area` of
    what is watched has changed, for `hold_s` after that, and every `heartbeat_s` in any case.
    What stays where it is becomes background within about `learn_s`. `ignore` lists polygons that
    are not watched, as points [x, y] from [0, 0] (top left) to [1, 1] (bottom right).
    """

    kind: Literal["motion"] = "motion"
    least_change: Annotated[float, Field(ge=1, le=255)] = 12.0
    least_area: Annotated[float, Field(gt=0, le=1)] = 0.001
    hold_s: Seconds = 2.0
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    learn_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    ignore: tuple[Polygon, ...] = ()

    def build(self) -> Callable[[], Gate]:
        """Makes a new gate for each stream."""
        return partial(
            MotionGate,
            least_change=self.least_change,
            least_area=self.least_area,
            hold_s=self.hold_s,
            heartbeat_s=self.heartbeat_s,
            learn_s=self.learn_s,
            ignore=self.ignore,
        )


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


# The short form `gate: motion` is the kind with its defaults.
GateConfig = Annotated[
    MotionGateConfig | PacketGateConfig | VectorGateConfig,
    Field(discriminator="kind"),
    BeforeValidator(_named),
]


class MotionGate:
    """Lets a frame pass when part of the picture differs from a running mean of those before it.

    The mean is weighted by time, so it depends on no frame rate; a small change of all brightness
    by the same amount is taken out first. After an outage the background is the one before it:
    what came into view meanwhile is a change. A picture that differs nearly everywhere, or has
    another size, passes, and is the new background.
    """

    def __init__(
        self,
        *,
        least_change: float,
        least_area: float,
        hold_s: float,
        heartbeat_s: float,
        learn_s: float,
        ignore: Sequence[Sequence[tuple[float, float]]] = (),
    ) -> None:
        self._least_change = least_change
        self._least_area = least_area
        self._hold = Fraction(hold_s).limit_denominator(1_000_000)
        self._heartbeat = Fraction(heartbeat_s).limit_denominator(1_000_000)
        self._learn_s = learn_s
        self._ignore = tuple(ignore)
        self._background: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._watched: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._noise = 0.0
        self._looked: Fraction | None = None
        self._moved: Fraction | None = None
        self._passed: Fraction | None = None

    def wants(self, frame: Frame) -> bool:
        """True when something moves in it, or did within `hold_s`, or it is a heartbeat."""
        now = frame.pts * frame.time_base
        if self._moves(frame, now):
            self._moved = now
        held = self._moved is not None and now - self._moved <= self._hold
        if held or self._passed is None or now - self._passed >= self._heartbeat:
            self._passed = now
            return True
        return False

    def _moves(self, frame: Frame, now: Fraction) -> bool:
        import cv2

        luma = cv2.blur(frame.pixels.luma(LEAST_PX), (3, 3))
        if self._watched.shape != luma.shape:
            self._watched = _watched(luma.shape[1], luma.shape[0], self._ignore)
        picture = np.asarray(cv2.multiply(luma, self._watched), np.float32)
        since = 0.0 if self._looked is None else float(now - self._looked)
        self._looked = now
        other = self._background.shape != picture.shape
        share, still = (1.0, 0.0) if other else self._changed(picture)
        if share >= OTHER_PICTURE:
            self._background = picture
            return True
        weight = 1 - math.exp(-since / self._learn_s)
        cv2.accumulateWeighted(picture, self._background, weight)
        self._noise += weight * (still - self._noise)
        return share >= self._least_area

    def _changed(self, picture: NDArray[np.float32]) -> tuple[float, float]:
        """The share of watched pixels that changed, and the mean change of the others."""
        import cv2

        # OpenCV takes half of NumPy's time here, and this runs for every sampled frame.
        watched = max(1, cv2.countNonZero(self._watched))
        least = max(self._least_change, NOISE_LEVELS * self._noise)
        change = np.asarray(cv2.subtract(picture, self._background))
        shift = cv2.sumElems(np.clip(change, -least, least))[0] / watched
        size = np.abs(change - np.float32(shift))
        _, moved = cv2.threshold(size, least, 1.0, cv2.THRESH_BINARY)
        count = cv2.countNonZero(moved)
        # Where nobody watches, the difference is `shift`, and that is never above `least`.
        ignored = (picture.size - watched) * abs(shift)
        still = cv2.sumElems(np.minimum(size, np.float32(least)))[0] - least * count - ignored
        return count / watched, still / max(1, watched - count)


def _watched(
    width: int, height: int, ignore: Sequence[Sequence[tuple[float, float]]]
) -> NDArray[np.uint8]:
    """(height, width): 1 where the picture is watched, 0 inside a polygon."""
    import cv2

    mask = np.ones((height, width), np.uint8)
    for polygon in ignore:
        corners = np.array([[x * width - 0.5, y * height - 0.5] for x, y in polygon])
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], (0,))
    return mask
