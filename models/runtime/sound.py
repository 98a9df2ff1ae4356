"""The streaming WaveNet as one part: samples and state in, logits and state out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.dilated import State
from models.runtime.base import Execution, Part, Precision, Runtime
from models.wavenet import WaveNet

_OUT = "_after"


class _Stream(nn.Module):
    """The state as single tensors, in the order of `names`."""

    def __init__(self, network: WaveNet, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.names = names

    def forward(self, samples: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        logits, after = self.network.stream(samples, dict(zip(self.names, state, strict=True)))
        return logits, *(after[name] for name in self.names)


def sound_part(network: WaveNet) -> Part:
    """`stream` of a WaveNet: any number of streams, any whole number of hops."""
    state = network.initial_state(2)
    names = tuple(state)
    inputs = ("sound", *names)
    outputs = ("logits", *(name + _OUT for name in names))
    streams = {0: "streams"}
    dynamic = dict.fromkeys((*inputs, *outputs), streams)
    return Part(
        name="sound",
        module=_Stream(network, names),
        inputs=inputs,
        outputs=outputs,
        example=(torch.zeros(2, 1, 3 * network.hop), *state.values()),
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
        self._names = tuple(network.initial_state(1))
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
        logits, *after = self._execution(x, *(state[name] for name in self._names))
        return logits, dict(zip(self._names, after, strict=True))


def run_sound(network: WaveNet, runtime: Runtime, precision: Precision) -> WaveNet | RunningWaveNet:
    """The network, executed by a runtime; eager in float32 returns the network itself."""
    if runtime.name == "eager" and precision == "float32":
        return network
    return RunningWaveNet(network, runtime.prepare(sound_part(network), precision))
