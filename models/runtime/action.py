"""The action network as two parts: pictures to features, and one step of the sequence head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.action import ActionNetwork
from models.clip import StreamLabeller
from models.runtime.base import Execution, Part, Precision, Runtime, RuntimeUnavailable
from models.runtime.eager import Eager
from models.sequence import SequenceHead, State


class _Step(nn.Module):
    """The state as single tensors."""

    def __init__(self, head: SequenceHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, feature: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, after = self.head.step(feature, state)
        return logits, *after


def action_parts(network: ActionNetwork) -> tuple[Part, Part]:
    """`features` (RGB in 0..1, the network's own size) and `step`; any number of streams."""
    cnn, head = network.cnn, network.head
    pictures = torch.zeros(2, 3, cnn.height, cnn.width)
    state = head.initial_state(2)
    before = tuple(f"state{number}" for number in range(len(state)))
    after = tuple(f"{name}_after" for name in before)
    many = {0: "streams"}
    features = Part(
        name="features",
        module=cnn,
        inputs=("pictures",),
        outputs=("features",),
        example=(pictures,),
        dynamic={"pictures": many, "features": many},
    )
    step = Part(
        name="step",
        module=_Step(head),
        inputs=("feature", *before),
        outputs=("logits", *after),
        example=(torch.zeros(2, head.feature_size), *state),
        dynamic=dict.fromkeys(("feature", *before, "logits", *after), many),
    )
    return features, step


class RunningAction:
    """An action network executed by a runtime; called as the network itself is."""

    def __init__(self, network: ActionNetwork, features: Execution, step: Execution) -> None:
        self._network = network
        self._features = features
        self._step = step

    def features(self, frames: Tensor | NDArray[np.uint8]) -> Tensor:
        """(B, H, W, 3) RGB uint8 of exactly the CNN's size -> (B, F)."""
        pictures = torch.as_tensor(frames)
        size = (self._network.cnn.height, self._network.cnn.width, 3)
        if tuple(pictures.shape[1:]) != size or pictures.dtype != torch.uint8:
            message = f"(B, *{size}) uint8 is wanted, got {frames.dtype} {tuple(frames.shape)}"
            raise ValueError(message)
        return self._features(pictures.permute(0, 3, 1, 2).float() / 255)[0]

    def initial_state(self, batch: int) -> State:
        """The state before the first frame of `batch` streams."""
        return self._network.initial_state(batch)

    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, F) and the state so far -> logits (B, classes) and the state after it."""
        logits, *after = self._step(feature, *state)
        return logits, tuple(after)


def run_action(
    network: ActionNetwork, runtime: Runtime, precision: Precision
) -> ActionNetwork | RunningAction:
    """The network, executed by a runtime; eager in float32 returns the network itself.

    In bfloat16 the step stays in float32 and in torch: its state adds up over hours, and it costs
    next to nothing.
    """
    if runtime.name == "eager" and precision == "float32":
        return network
    features, step = action_parts(network)
    stepper = runtime if precision == "float32" else Eager()
    return RunningAction(
        network, runtime.prepare(features, precision), stepper.prepare(step, "float32")
    )


def run_labeller(network: StreamLabeller, runtime: Runtime, precision: Precision) -> StreamLabeller:
    """Any network of the action lane; RuntimeUnavailable for one that only torch can execute."""
    if runtime.name == "eager" and precision == "float32":
        return network
    if not isinstance(network, ActionNetwork):
        message = (
            f"runtime {runtime.name} in {precision}: a network that sees clips, not frames, runs "
            "in torch eager and float32 only"
        )
        raise RuntimeUnavailable(message)
    return run_action(network, runtime, precision)
