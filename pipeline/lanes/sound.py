"""The sound lane: hops of mono sound -> WaveNet with cached state -> label spans."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.card import Card, CheckpointError
from models.checkpoint import read_card
from models.runtime import Precision, RuntimeName
from pipeline.config.base import Name, RuntimeChoice, Seconds, StrictModel, settled
from pipeline.lane import Lane
from pipeline.lanes.labels import HysteresisConfig, LabelAggregator
from pipeline.lanes.windowing import HopWindower
from pipeline.records import Prediction, Window

if TYPE_CHECKING:
    from models.runtime.sound import RunningWaveNet
    from models.wavenet import WaveNet


class SoundLane(StrictModel):
    """Labels what is heard. `hop_s` is how much sound goes to the network at a time."""

    kind: Literal["sound"]
    name: Name = "sound"
    weights: str = "sound"
    hop_s: Seconds = 0.5
    runtime: RuntimeChoice = "eager"
    precision: Precision = "float32"
    spans: HysteresisConfig = HysteresisConfig()

    def build(self, device: str, *, offline: bool = True) -> Lane:
        """The lane; CheckpointError when the weights are missing or are not a WaveNet's."""
        del offline  # there is nothing to fetch for this lane
        card = read_card(self.weights)
        if card.network != "wavenet":
            message = f"{self.weights}: a {card.network} network; the sound lane needs a wavenet"
            raise CheckpointError(message)
        rate = int(card.preprocessing["sample_rate"])
        step = int(card.preprocessing["hop"])
        steps = max(1, round(self.hop_s * rate / step))
        rule = self.spans.build(card)
        return Lane(
            name=self.name,
            medium="audio",
            pinned=True,
            batch=4,
            make_windower=partial(_windower, self.name, rate, step * steps),
            make_predictor=partial(
                _predictor, self.weights, device, settled(self.runtime), self.precision
            ),
            make_aggregator=partial(
                LabelAggregator, lane=self.name, card=card, rule=rule, step_s=Fraction(step, rate)
            ),
            card=card,
            warm_s=float(card.preprocessing.get("receptive_field_s", 0.0)),
            runtime=f"{settled(self.runtime)} {self.precision}",
            device=device,
        )


def _windower(lane: str, rate: int, hop_samples: int, stream: str) -> HopWindower:
    from pipeline.media.audio import Resampler

    return HopWindower(stream, lane, Resampler(rate), rate, hop_samples)


def _predictor(
    weights: str, device: str, runtime: RuntimeName, precision: Precision
) -> SoundPredictor:
    from models.runtime import get_runtime
    from models.runtime.sound import run_sound
    from models.wavenet import load_sound

    executed_by = get_runtime(runtime, precision, device)
    card, network = load_sound(weights, device)
    return SoundPredictor(card, run_sound(network, executed_by, precision), device)


class SoundPredictor:
    """Runs the streaming WaveNet; keeps its cached state for every stream that it has heard.

    Windows go through the network one at a time, so that what a stream gets never depends on
    which other streams are heard with it.
    """

    def __init__(self, card: Card, network: WaveNet | RunningWaveNet, device: str) -> None:
        self._card = card
        self._network = network
        self._device = device
        self._states: dict[str, Any] = {}

    def predict(self, windows: Sequence[Window]) -> list[Prediction]:
        """(K, classes) scores a window, that sum to 1 in each row, in the windows' order."""
        states = dict(self._states)
        answers = [self._answer(window, states) for window in windows]
        self._states = states  # only now: a batch that failed half-way is tried again, whole
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

    def _answer(self, window: Window, states: dict[str, Any]) -> Prediction:
        import torch

        mark = window.mark
        state = None if mark.fresh else states.get(mark.stream)
        with torch.inference_mode():
            if state is None:
                state = self._network.initial_state(1)
            samples = np.clip(window.data, -1.0, 1.0)[None, None]
            sound = torch.from_numpy(samples).to(self._device)
            logits, states[mark.stream] = self._network.stream(sound, state)
            scores = torch.softmax(logits[0].float(), dim=-1).cpu().numpy()
        return Prediction(mark, scores=scores)
