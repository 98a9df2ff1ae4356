"""The action lane: sampled frames -> CNN -> RNN, MLP or vote with cached state -> label spans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.card import Card, CheckpointError
from models.checkpoint import read_card
from models.runtime import Precision, RuntimeName
from pipeline.config.base import Batch, Name, RuntimeChoice, StrictModel, settled
from pipeline.lane import Gate, Lane
from pipeline.lanes.gate import GateConfig
from pipeline.lanes.labels import HysteresisConfig, LabelAggregator
from pipeline.lanes.packet_gate import VectorGateConfig
from pipeline.lanes.sampling import RateSampler
from pipeline.lanes.throttle import Throttle
from pipeline.lanes.windowing import FrameWindower, fit_exactly
from pipeline.records import Feature, Mark, Prediction, Window

if TYPE_CHECKING:
    from models.clip import StreamLabeller

WARM_S = 2.0
"""A recurrent network has no end to its reach; the scenes that teach ours change in seconds."""


class ActionLane(StrictModel):
    """Labels what is going on; frames are sampled at the rate that the network was trained at."""

    kind: Literal["action"]
    name: Name = "action"
    weights: str = "street-action"
    batch: Batch = 4
    runtime: RuntimeChoice = "eager"
    precision: Precision = "float32"
    gate: GateConfig | None = None
    spans: HysteresisConfig = HysteresisConfig()

    def build(self, device: str, *, offline: bool = True) -> Lane:
        """The lane; CheckpointError when the weights are missing or of another network."""
        del offline  # there is nothing to fetch for this lane
        card = read_card(self.weights)
        if card.network != "action":
            message = f"{self.weights}: a {card.network} network; this lane needs an action one"
            raise CheckpointError(message)
        want = card.preprocessing
        return Lane(
            name=self.name,
            medium="video",
            pinned=True,
            batch=self.batch,
            make_windower=partial(
                _windower,
                self.name,
                want["rate_hz"],
                want["width"],
                want["height"],
                self.gate.build() if self.gate else None,
            ),
            make_predictor=partial(
                _predictor,
                self.weights,
                device,
                self.batch,
                settled(self.runtime),
                self.precision,
            ),
            make_aggregator=partial(
                LabelAggregator, lane=self.name, card=card, rule=self.spans.build(card)
            ),
            card=card,
            warm_s=WARM_S,
            # A clip CNN sees many frames at once: it would have to begin where a clip begins.
            divisible=self.gate is None and "frames" not in card.architecture.get("cnn", {}),
            vectors=isinstance(self.gate, VectorGateConfig),
            runtime=f"{settled(self.runtime)} {self.precision}",
            device=device,
        )


def _windower(
    lane: str,
    rate_hz: float,
    width: int,
    height: int,
    make_gate: Callable[[], Gate] | None,
    stream: str,
) -> FrameWindower:
    return FrameWindower(
        stream,
        lane,
        RateSampler(rate_hz),
        fit_exactly(width, height),
        throttle=Throttle(rate_hz),
        gate=make_gate() if make_gate else None,
    )


def _predictor(
    weights: str, device: str, batch: int, runtime: RuntimeName, precision: Precision
) -> ActionPredictor:
    from models.clip import load_labeller
    from models.runtime import get_runtime
    from models.runtime.action import run_labeller

    executed_by = get_runtime(runtime, precision, device)
    card, network = load_labeller(weights, device)
    return ActionPredictor(card, run_labeller(network, executed_by, precision), device, batch)


class ActionPredictor:
    """Runs the network on batches of many streams, then each stream's own sequence state.

    A frame CNN sees a frame once, in batches padded to one fixed shape; the cheap recurrent step
    goes frame by frame, so that what a stream gets never depends on its neighbours. Any way to
    label clips will do (see `models.clip`); a clip CNN runs in the step, stream by stream.
    """

    def __init__(self, card: Card, network: StreamLabeller, device: str, batch: int) -> None:
        self._card = card
        self._network = network
        self._device = device
        self._batch = batch
        self._states: dict[str, Any] = {}

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(1, classes) scores a window, that sum to 1, in the windows' order."""
        import torch

        answers = []
        states = dict(self._states)
        with torch.inference_mode():
            for window, feature in self._seen(windows):
                answers.append(self._step(window.mark, feature, states))
        self._states = states  # only now: a batch that failed half-way is tried again, whole
        return answers

    def see(self, windows: Sequence[Window]) -> list[Feature]:
        """(F,) what the frame CNN sees in each window, in the windows' order."""
        import torch

        with torch.inference_mode():
            return [
                Feature(window.mark, feature[0].float().cpu().numpy())
                for window, feature in self._seen(windows)
            ]

    def follow(self, features: Sequence[Feature]) -> list[Prediction]:
        """What `predict` would have said of the windows that these features were seen in."""
        import torch

        states = dict(self._states)
        with torch.inference_mode():
            answers = [
                self._step(
                    feature.mark,
                    torch.from_numpy(feature.values.copy()).to(self._device)[None],
                    states,
                )
                for feature in features
            ]
        self._states = states
        return answers

    def forget(self, stream: str) -> None:
        """Drops the cached state of a stream that has ended."""
        self._states.pop(stream, None)

    def remember(self) -> dict[str, Any]:
        """The cached states by stream."""
        return dict(self._states)

    def recall(self, known: dict[str, Any]) -> None:
        """Goes on from these states."""
        self._states = dict(known)

    def _seen(self, windows: Sequence[Window]) -> Iterator[tuple[Window, Any]]:
        """Each window with its feature (1, F), computed in batches of one fixed shape."""
        for first in range(0, len(windows), self._batch):
            group = windows[first : first + self._batch]
            pictures = np.stack([window.data for window in group])
            if len(group) < self._batch:
                pad = [(0, self._batch - len(group))] + [(0, 0)] * 3
                pictures = np.pad(pictures, pad)
            features = self._network.features(pictures)
            for number, window in enumerate(group):
                yield window, features[number : number + 1]

    def _step(self, mark: Mark, feature: Any, states: dict[str, Any]) -> Prediction:
        import torch

        state = None if mark.fresh else states.get(mark.stream)
        if state is None:
            state = self._network.initial_state(1)
        logits, states[mark.stream] = self._network.step(feature, state)
        return Prediction(mark, scores=torch.softmax(logits.float(), dim=-1).cpu().numpy())
