"""The network of the action lane: a frame CNN and a sequence head, and how it is built and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import Card, CheckpointError
from models.checkpoint import load_network
from models.frame_cnn import FrameCNN
from models.sequence import HEADS, SequenceHead, State


class ActionNetwork(nn.Module):
    """A frame CNN and a sequence head: frames of a stream, in order, become logits.

    A frame goes through the CNN once, in `features`; `step` only ever sees the feature. Call
    `eval()` before streaming; neither method keeps gradients.
    """

    def __init__(self, cnn: FrameCNN, head: SequenceHead) -> None:
        super().__init__()
        self.cnn = cnn
        self.head = head

    @torch.inference_mode()
    def features(self, frames: Tensor | NDArray[np.uint8]) -> Tensor:
        """(B, H, W, 3) RGB uint8 of exactly the CNN's size -> (B, F) on the network's device."""
        pictures = torch.as_tensor(frames).to(next(self.parameters()).device)
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != torch.uint8:
            message = f"(B, H, W, 3) uint8 is wanted, got {frames.dtype} {tuple(frames.shape)}"
            raise ValueError(message)
        found: Tensor = self.cnn(pictures.permute(0, 3, 1, 2).float() / 255)
        return found

    def initial_state(self, batch: int) -> State:
        """The state before the first frame of `batch` streams."""
        return self.head.initial_state(batch)

    @torch.inference_mode()
    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        return self.head.step(feature, state)


def build(architecture: dict[str, Any]) -> ActionNetwork:
    """The network, with random weights, that an architecture names.

    `{"cnn": {"name", "width", "height", ...}, "head": {"name", ...}, "classes": n}`.
    """
    cnn = FrameCNN(**architecture["cnn"])
    options = dict(architecture["head"])
    name = options.pop("name")
    if name not in HEADS:
        message = f"no sequence head is called {name!r}; there are {', '.join(sorted(HEADS))}"
        raise CheckpointError(message)
    return ActionNetwork(cnn, HEADS[name](cnn.feature_size, architecture["classes"], **options))


def load_action(weights: str | Path, device: str = "cpu") -> tuple[Card, ActionNetwork]:
    """Card and network, in eval mode on `device`, of a shipped name or a path."""
    return load_network(weights, "action", build, device)
