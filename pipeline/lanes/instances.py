"""The instances lane: sampled frames -> Mask R-CNN -> tracker -> instances with track ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.card import Card, CheckpointError
from models.checkpoint import read_card
from models.runtime import Precision, RuntimeName
from pipeline.config.base import Batch, Name, Rate, RuntimeChoice, Score, StrictModel, settled
from pipeline.lane import Gate, Lane, Stateless
from pipeline.lanes.gate import GateConfig
from pipeline.lanes.packet_gate import VectorGateConfig
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import Throttle
from pipeline.lanes.windowing import FrameWindower, fit_short_side
from pipeline.records import Event, Failure, InstanceMask, Mark, Prediction, Rle, Window

if TYPE_CHECKING:
    from models.mask_rcnn import Found, Segmenter


JUST_AFTER_S = Fraction(1, 10**9)
"""No next frame ends so soon after one; so the events of a frame need not wait for it."""


class InstancesLane(StrictModel):
    """Finds and follows things. `weights` may be a checkpoint, `coco` or `coco_v2`."""

    kind: Literal["instances"]
    name: Name = "instances"
    weights: str = "street-people"
    rate_hz: Rate = 5.0
    min_score: Score | None = None
    batch: Batch = 4
    runtime: RuntimeChoice = "eager"
    precision: Precision = "float32"
    gate: GateConfig | None = None

    def build(self, device: str, *, offline: bool = True) -> Lane:
        """The lane; CheckpointError when the weights are missing or of another network."""
        card = _card(self.weights)
        short_px = int(card.preprocessing["min_size"])
        return Lane(
            name=self.name,
            medium="video",
            pinned=False,
            batch=self.batch,
            make_windower=partial(
                _windower,
                self.name,
                self.rate_hz,
                short_px,
                self.gate.build() if self.gate else None,
            ),
            make_predictor=partial(
                _predictor,
                self.weights,
                device,
                self.batch,
                self.min_score,
                offline,
                settled(self.runtime),
                self.precision,
            ),
            make_aggregator=partial(
                InstanceAggregator, lane=self.name, card=card, rate_hz=self.rate_hz
            ),
            card=card,
            divisible=self.gate is None,
            vectors=isinstance(self.gate, VectorGateConfig),
            runtime=f"{settled(self.runtime)} {self.precision}",
            device=device,
        )


def _card(weights: str) -> Card:
    if weights in {"coco", "coco_v2"}:
        from models.mask_rcnn import coco_card

        return coco_card(weights)
    card = read_card(weights)
    if card.network != "mask_rcnn":
        message = f"{weights}: a {card.network} network; the instances lane needs a mask_rcnn"
        raise CheckpointError(message)
    return card


def _windower(
    lane: str,
    rate_hz: float,
    short_px: int,
    make_gate: Callable[[], Gate] | None,
    stream: str,
) -> FrameWindower:
    return FrameWindower(
        stream,
        lane,
        RateSampler(rate_hz),
        fit_short_side(short_px),
        throttle=Throttle(rate_hz),
        gate=make_gate() if make_gate else None,
    )


def _predictor(
    weights: str,
    device: str,
    batch: int,
    min_score: float | None,
    offline: bool,
    runtime: RuntimeName,
    precision: Precision,
) -> InstancePredictor:
    from models.mask_rcnn import Segmenter, load_segmenter
    from models.runtime import get_runtime
    from models.runtime.instances import run_instances

    executed_by = get_runtime(runtime, precision, device)
    plain = load_segmenter(
        weights, device=device, batch=batch, score_threshold=min_score, offline=offline
    )
    network = run_instances(plain.network, executed_by, precision)
    if network is plain.network:
        return InstancePredictor(plain)
    return InstancePredictor(
        Segmenter(network, plain.card, device=device, batch=batch, score_threshold=min_score)
    )


class InstancePredictor(Stateless):
    """Runs Mask R-CNN; masks leave as run lengths, so no bitmap ever travels."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """The instances of each window, best first, boxes in px of the source frame."""
        sizes = [window.mark.size or window.data.shape[1::-1] for window in windows]
        found = self._segmenter.segment([window.data for window in windows], sizes)
        return [
            Prediction(window.mark, instances=tuple(map(instance_from, things)))
            for window, things in zip(windows, found, strict=True)
        ]


def instance_from(found: Found) -> InstanceMask:
    """The pipeline's record of what the network found."""
    (height, width), counts = found.rle
    return InstanceMask(found.label, found.score, found.box, Rle(height, width, counts))


class InstanceAggregator:
    """One event for each thing in each analysed frame, with the id of the track it belongs to.

    ByteTrack (Zhang et al., ECCV 2022). A thing that is in no confirmed track has no id: counting
    such things as tracks is how counts go wrong. Over a gated stretch nothing moved, so for the
    tracker no more than one step of the rate goes by, and who stands still keeps the track.
    """

    def __init__(self, stream: str, lane: str, card: Card, rate_hz: float) -> None:
        self._stream = stream
        self._lane = lane
        self._card = card
        self._rate_hz = rate_hz
        self._tracker: Any = None
        self._watermark: Fraction | None = None
        self._latest: Fraction | None = None
        self._still = Fraction(0)

    @property
    def watermark(self) -> Fraction | None:
        """No event that ends before this media time can still come; None before any push."""
        return self._watermark

    def push(self, answer: Prediction | Failure) -> Iterator[Event]:
        """The events of this frame: they are over when the frame is."""
        span = answer.mark.span
        self._watermark = span.end + JUST_AFTER_S
        self._pass_over(answer.mark)
        if isinstance(answer, Failure):
            return
        for instance in self._tracked(answer.instances, float(span.start - self._still)):
            yield Event(
                self._stream,
                self._lane,
                span,
                instance.label,
                instance.score,
                self._card.name,
                self._card.sha256,
                instance,
            )

    def still(self, until: Fraction) -> None:
        """Moves the watermark: a withheld frame has no events."""
        if self._watermark is not None:
            self._watermark = max(self._watermark, until)

    def flush(self) -> Iterator[Event]:
        """Nothing: no event outlives its frame."""
        yield from ()

    def _pass_over(self, mark: Mark) -> None:
        start, gated = mark.span.start, mark.gated
        if self._latest is not None and gated is not None and gated.end == start:
            step = Fraction(self._rate_hz).limit_denominator(10_000) ** -1
            self._still += max(Fraction(0), start - self._latest - step)
        self._latest = start

    def _tracked(self, instances: Sequence[InstanceMask], time_s: float) -> Iterator[InstanceMask]:
        import supervision as sv
        from trackers import ByteTrackTracker

        if self._tracker is None:
            # The buffer is counted in frames of 1/30 s whatever the rate: 60 are two seconds.
            self._tracker = ByteTrackTracker(
                lost_track_buffer=60,
                frame_rate=self._rate_hz,
                track_activation_threshold=0.6,
                high_conf_det_threshold=0.5,
                minimum_consecutive_frames=2,
            )
        boxes = np.array([i.box for i in instances], np.float32).reshape(-1, 4)
        seen = sv.Detections(
            xyxy=boxes,
            confidence=np.array([i.score for i in instances], np.float32),
            class_id=np.zeros(len(instances), int),
            data={"index": np.arange(len(instances))},
        )
        tracked = self._tracker.update(seen, timestamp=time_s)
        ids = {
            int(index): int(track)
            for index, track in zip(tracked.data.get("index", ()), tracked.tracker_id, strict=True)
            if track >= 0
        }
        for number, instance in enumerate(instances):
            yield replace(instance, track_id=ids.get(number))
