"""Networks by the kind of their checkpoint, each executed by a runtime and compared with eager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.action import ActionNetwork, load_action
from models.card import Card, CheckpointError
from models.checkpoint import read_card
from models.mask_rcnn import Segmenter, load_segmenter
from models.runtime.action import action_parts, run_action
from models.runtime.base import Part, Precision, Runtime
from models.runtime.equality import (
    Agreement,
    compare_action,
    compare_instances,
    compare_sound,
)
from models.runtime.instances import instance_parts, run_instances
from models.runtime.sound import run_sound, sound_part
from models.wavenet import WaveNet, load_sound

Picture = NDArray[np.uint8]
PUBLISHED = ("coco", "coco_v2")
_BATCH = 4


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network in eval mode on the CPU, as torch eager runs it, and its card."""

    card: Card
    network: Any

    def parts(self) -> tuple[Part, ...]:
        """What is exported of it."""
        if isinstance(self.network, WaveNet):
            return (sound_part(self.network),)
        if isinstance(self.network, ActionNetwork):
            return action_parts(self.network)
        return instance_parts(self.network).each()

    def run(self, runtime: Runtime, precision: Precision) -> Any:
        """What answers as the network does, executed by a runtime."""
        if isinstance(self.network, WaveNet):
            return run_sound(self.network, runtime, precision)
        if isinstance(self.network, ActionNetwork):
            return run_action(self.network, runtime, precision)
        return run_instances(self.network, runtime, precision)

    def compare(self, running: Any, pictures: Sequence[Picture]) -> Agreement:
        """How far `running` is from eager; pictures are scaled to what the card wants."""
        if isinstance(self.network, WaveNet):
            return compare_sound(self.network, running)
        if isinstance(self.network, ActionNetwork):
            size = (self.network.cnn.width, self.network.cnn.height)
            return compare_action(self.network, running, scaled(pictures, size))
        own = [sized for at, picture in enumerate(pictures) for sized in self._sizes(picture, at)]
        return compare_instances(self.network, running, self.card, own)

    def call(self, running: Any, pictures: Sequence[Picture]) -> Callable[[], object]:
        """A call such as a lane makes, over and over the same: it is there to be timed."""
        if isinstance(self.network, WaveNet):
            state = self.network.initial_state(1)
            sound = torch.zeros(1, 1, 5 * self.network.hop).uniform_(-0.1, 0.1)
            return _quietly(lambda: running.stream(sound, state))
        if isinstance(self.network, ActionNetwork):
            size = (self.network.cnn.width, self.network.cnn.height)
            batch = np.stack(scaled(pictures[:1], size) * _BATCH)
            first = running.initial_state(1)
            return _quietly(
                lambda: [running.step(row[None], first) for row in running.features(batch)]
            )
        (own, *_) = self._sizes(pictures[0], 0)
        segmenter = Segmenter(running, self.card, batch=1)
        high, wide = own.shape[:2]
        return lambda: segmenter.segment([own], [(wide, high)])

    def _sizes(self, picture: Picture, number: int) -> Sequence[Picture]:
        """The picture with the short side that the card wants; the second one cropped, as well."""
        high, wide = picture.shape[:2]
        scale = float(self.card.preprocessing["min_size"]) / min(high, wide)
        own = scaled([picture], (round(wide * scale), round(high * scale)))
        return own if number != 1 else [*own, own[0][:, : own[0].shape[1] * 3 // 4]]


def _quietly(run: Callable[[], object]) -> Callable[[], object]:
    """Without gradients."""

    @torch.inference_mode()
    def quiet() -> object:
        return run()

    return quiet


def scaled(pictures: Sequence[Picture], size: tuple[int, int]) -> list[Picture]:
    """The pictures at (width, height)."""
    import cv2

    sized = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pictures)
    return [np.ascontiguousarray(one, np.uint8) for one in sized]


def load_any(weights: str | Path, *, offline: bool = True) -> Loaded:
    """The network of a shipped name, a path, or torchvision's `coco` and `coco_v2`.

    CheckpointError when it cannot be read, or is of a kind that only torch can execute.
    """
    torch.set_flush_denormal(True)
    kind = "mask_rcnn" if str(weights) in PUBLISHED else read_card(weights).network
    if kind == "wavenet":
        return _loaded(*load_sound(weights))
    if kind == "action":
        return _loaded(*load_action(weights))
    if kind == "mask_rcnn":
        segmenter = load_segmenter(weights, batch=1, offline=offline)
        return _loaded(segmenter.card, segmenter.network)
    message = f"{weights}: a {kind} network has no other runtime than torch eager"
    raise CheckpointError(message)


def _loaded(card: Card, network: nn.Module) -> Loaded:
    return Loaded(card, network.eval().requires_grad_(False))
