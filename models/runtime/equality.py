"""How far a runtime's answers are from torch eager's, and how far they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou

from models.action import ActionNetwork
from models.card import Card
from models.mask_rcnn import Found, Segmenter
from models.runtime.action import RunningAction
from models.runtime.base import ExportRefused, Precision
from models.runtime.sound import RunningWaveNet
from models.wavenet import WaveNet

Picture = NDArray[np.uint8]

LOGIT_ERROR: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.5}
"""The most that a logit may differ by; logits of these networks span about -10 to 10."""

IOU: dict[Precision, float] = {"float32": 0.98, "bfloat16": 0.95}
"""The least mean IoU of boxes, and of masks, over the things that eager finds."""

_THINGS = 8  # a picture in which nothing passes the threshold says nothing about masks


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared with torch eager, and what came of it; None for what does not apply."""

    compared: str
    logit_error: float | None = None
    box_iou: float | None = None
    mask_iou: float | None = None
    things: int | None = None

    def failures(self, precision: Precision) -> list[str]:
        """What is out of bounds, each as a phrase; empty when they agree."""
        told = []
        most, least = LOGIT_ERROR[precision], IOU[precision]
        # "not <=" so that a NaN fails too.
        if self.logit_error is not None and not self.logit_error <= most:
            told.append(f"a logit differs by {self.logit_error:.2g}, allowed are {most:g}")
        for name, value in (("box", self.box_iou), ("mask", self.mask_iou)):
            if value is not None and not value >= least:
                told.append(f"the mean {name} IoU is {value:.3f}, wanted are {least:g}")
        if self.things == 0:
            told.append("eager finds nothing in the pictures, so nothing was compared")
        return told

    def require(self, what: str, precision: Precision) -> None:
        """Nothing when they agree; ExportRefused tells how they do not."""
        told = self.failures(precision)
        if told:
            message = f"{what} does not answer as torch eager does: {'; '.join(told)}"
            raise ExportRefused(message)

    def for_card(self) -> dict[str, object]:
        """What was measured, as JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@torch.inference_mode()
def compare_sound(network: WaveNet, running: RunningWaveNet, hops: int = 12) -> Agreement:
    """Two streams of noise and tones, in chunks of one, two, three, ... hops, with state kept."""
    time = torch.arange(hops * network.hop) / network.sample_rate
    tones = torch.stack([0.3 * torch.sin(2 * torch.pi * hz * time) for hz in (440.0, 1250.0)])
    noise = torch.randn(tones.shape, generator=torch.Generator().manual_seed(0))
    sound = (tones + 0.05 * noise)[:, None]
    state, rows, at, size = running.initial_state(2), [], 0, 1
    while at < hops:
        chunk = sound[..., at * network.hop : (at + size) * network.hop]
        logits, state = running.stream(chunk, state)
        rows.append(logits)
        at, size = at + size, size + 1
    error = _error(torch.cat(rows, 1), network(sound))
    return Agreement(f"{hops} hops of 2 streams, in chunks of 1 and more", logit_error=error)


@torch.inference_mode()
def compare_action(
    network: ActionNetwork, running: RunningAction, pictures: Sequence[Picture]
) -> Agreement:
    """Two streams of the given pictures, one forwards and one backwards, with state kept."""
    ours, theirs = running.initial_state(2), network.initial_state(2)
    worst = 0.0
    for pair in zip(pictures, reversed(pictures), strict=True):
        batch = np.stack(pair)
        logits, ours = running.step(running.features(batch), ours)
        wanted, theirs = network.step(network.features(batch), theirs)
        worst = max(worst, _error(logits, wanted))
    return Agreement(f"{len(pictures)} pictures in 2 streams", logit_error=worst)


@torch.inference_mode()
def compare_instances(
    network: MaskRCNN, running: MaskRCNN, card: Card, pictures: Sequence[Picture]
) -> Agreement:
    """The eight best things of each picture, alone in eager, beside its mirror image in `running`.

    Pictures may have any sizes. A score's logit is compared too.
    """
    boxes: list[float] = []
    masks: list[float] = []
    worst = 0.0
    for picture in pictures:
        both = [picture, np.ascontiguousarray(picture[:, ::-1])]
        wanted = [_all_of(network, card, [one], batch=1)[0] for one in both]
        found = _all_of(running, card, both, batch=2)
        for mine, theirs in zip(found, wanted, strict=True):
            for thing in theirs[:_THINGS]:
                match = best_match(thing, mine)
                boxes.append(match.box_iou)
                masks.append(match.mask_iou)
                worst = max(worst, match.logit_error)
    mean_box, mean_mask = (float(np.mean(values)) if values else 0.0 for values in (boxes, masks))
    sizes = sorted({f"{picture.shape[1]}x{picture.shape[0]}" for picture in pictures})
    return Agreement(
        f"{2 * len(pictures)} pictures of {', '.join(sizes)} in batches of 2",
        logit_error=worst,
        box_iou=mean_box,
        mask_iou=mean_mask,
        things=len(boxes),
    )


@dataclass(frozen=True, slots=True)
class Match:
    """How near the nearest thing of the same label is, by box, and what its score differs by."""

    box_iou: float = 0.0
    mask_iou: float = 0.0
    logit_error: float = 0.0


def best_match(thing: Found, others: Sequence[Found]) -> Match:
    """The thing of the same label whose box overlaps most; all zeros when there is none."""
    same = [other for other in others if other.label == thing.label]
    if not same:
        return Match()
    overlaps = box_iou(torch.tensor([thing.box]), torch.tensor([other.box for other in same]))[0]
    nearest = same[int(overlaps.argmax())]
    logits = torch.tensor([thing.score, nearest.score], dtype=torch.float64).logit(1e-6)
    return Match(float(overlaps.max()), mask_iou(thing, nearest), float(logits.diff().abs()))


def mask_iou(one: Found, other: Found) -> float:
    """The IoU of two masks of one frame; 1 when both are empty."""
    first, second = (
        {"size": list(thing.rle[0]), "counts": thing.rle[1].encode()} for thing in (one, other)
    )
    if not coco_mask.area(first) and not coco_mask.area(second):
        return 1.0
    return float(coco_mask.iou([first], [second], [0])[0][0])


def _all_of(
    network: MaskRCNN, card: Card, pictures: Sequence[Picture], batch: int
) -> list[list[Found]]:
    """Everything that a network finds, whatever its score; its own threshold is put back."""
    before = network.roi_heads.score_thresh
    try:
        segmenter = Segmenter(network, card, batch=batch, score_threshold=0.0)
        sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
        return segmenter.segment(pictures, sizes)
    finally:
        network.roi_heads.score_thresh = before


def _error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).abs().max())
