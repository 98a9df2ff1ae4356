"""The streaming WaveNet as one part: samples and state in, logits and state out."""

from __future__ import annotations

import torch
from torch import Tensor

from models.dilated import State
from models.runtime.base import Execution, Part, Precision, Runtime
from models.runtime.folded import STATE, FoldedWaveNet
from models.wavenet import WaveNet


def sound_part(network: WaveNet) -> Part:
    """`stream` of a WaveNet: any number of streams, any whole number of hops."""
    state = network.initial_state(2)
    inputs = ("sound", *STATE)
    outputs = ("logits", *(f"{name}_after" for name in STATE))
    streams = {0: "streams"}
    dynamic = dict.fromkeys((*inputs, *outputs), streams)
    return Part(
        name="sound",
        module=FoldedWaveNet(network).eval(),
        inputs=inputs,
        outputs=outputs,
        example=(torch.zeros(2, 1, 3 * network.hop), *(state[name] for name in STATE)),
        dynamic={
            **dynamic,
            "sound": {0: "streams", 2: "samples"},
            "logits": {0: "streams", 1: "hops"},
        },
    )


class RunningWaveNet:
    """A WaveNet that streams by way of a runtime; the state is the network's own."""

    def __init__(self, network: WaveNet, execution: Execution) -> None:
        self._network = network
        self._execution = execution

    def initial_state(self, batch: int) -> State:
        """The state of `batch` streams before their first sample: silence."""
        return self._network.initial_state(batch)

    def stream(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, 1, n * hop) and the state -> (B, n, classes) logits and the state after them.

        ValueError for a sound that is no whole number of hops: a graph would not notice.
        """
        hop = self._network.hop
        if x.ndim != 3 or x.shape[1] != 1 or not x.shape[2] or x.shape[2] % hop:
            message = f"expected (B, 1, n * {hop}) with n of at least 1, got {tuple(x.shape)}"
            raise ValueError(message)
        logits, *after = self._execution(x, *(state[name] for name in STATE))
        return logits, dict(zip(STATE, after, strict=True))


def run_sound(network: WaveNet, runtime: Runtime, precision: Precision) -> RunningWaveNet:
    """The network, executed by a runtime; torch eager, too, takes fewer steps than the network."""
    return RunningWaveNet(network, runtime.prepare(sound_part(network), precision))
