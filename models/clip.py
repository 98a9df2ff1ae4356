"""Six ways to label a clip, made of the same few parts: what sees, and what reads in order.

A clip is (T, 3, H, W), RGB in 0..1; its label is one. What sees is a frame CNN, or a clip CNN for
snippets of a few frames in a row. What reads is a sequence head. `WAYS` says what belongs to what.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.action import ActionNetwork, build
from models.card import Card, CheckpointError
from models.checkpoint import load_network
from models.clip_heads import FeatureLSTM, Latest
from models.conv3d import ClipCNN
from models.features import FeatureStore, Rows, feature_key
from models.frame_cnn import FrameCNN
from models.sequence import HEADS, FeatureVote, SequenceHead, State

RECURRENT = ("gru", "lstm", "trace_gru")
CLIP_HEADS: dict[str, type[SequenceHead]] = {**HEADS, "lstm": FeatureLSTM, "latest": Latest}


@dataclass(frozen=True, slots=True)
class Way:
    """What sees, which heads may read it, and whether what sees is learnt elsewhere and frozen.

    Frozen, its features are stored once and shared by all heads; see `stored_features`.
    """

    sees: Literal["frame", "snippet"]
    heads: tuple[str, ...]
    frozen: bool


WAYS: dict[str, Way] = {
    "frame_vote": Way("frame", ("vote",), False),
    "cnn_rnn": Way("frame", RECURRENT, False),
    "conv3d": Way("snippet", ("latest",), False),
    "features_rnn": Way("frame", RECURRENT, True),
    "features_mlp": Way("frame", ("mlp",), True),
    "conv3d_features_rnn": Way("snippet", RECURRENT, True),
    "conv3d_features_mlp": Way("snippet", ("mlp",), True),
}


class StreamLabeller(Protocol):
    """What a lane needs: each frame goes through `features` once, in order through `step`."""

    @abstractmethod
    def features(self, frames: Tensor | NDArray[np.uint8]) -> Tensor:
        """(B, H, W, 3) RGB uint8 of the network's size -> one row a frame."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The state before the first frame of `batch` streams."""

    @abstractmethod
    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """Rows of `features` and the state so far -> logits (B, classes), state after them."""


class ClipNetwork(nn.Module, StreamLabeller):
    """A clip in, its logits out: `decide(encode(clips))`; and it labels streams too."""

    head: SequenceHead

    @property
    @abstractmethod
    def body(self) -> FrameCNN | ClipCNN:
        """What sees."""

    @abstractmethod
    def encode(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) float RGB in 0..1 -> features (B, n, F), one a frame or a snippet."""

    def decide(self, features: Tensor) -> Tensor:
        """(B, n, F) -> logits (B, classes), after the last of them."""
        return self.head(features)[:, -1]  # type: ignore[no-any-return]

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) float RGB in 0..1 -> logits (B, classes)."""
        return self.decide(self.encode(clips))

    def loss(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of (B, n, F) against labels (B,); a vote learns each frame."""
        if isinstance(self.head, FeatureVote):
            logits = self.head.frame_logits(features).flatten(0, 1)
            return F.cross_entropy(logits, labels.repeat_interleave(features.shape[1]))
        return F.cross_entropy(self.decide(features), labels)


class FrameNetwork(ActionNetwork, ClipNetwork):
    """A frame CNN under a head. A stream keeps the head's state; no frame is seen twice."""

    @property
    def body(self) -> FrameCNN:
        """What sees."""
        return self.cnn

    def encode(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) float RGB in 0..1 -> features (B, T, F)."""
        found: Tensor = self.cnn(clips.flatten(0, 1))
        return found.reshape(*clips.shape[:2], -1)


class SnippetNetwork(ClipNetwork):
    """A clip CNN for snippets that do not overlap, under a head.

    A stream keeps the pictures of the snippet that is being filled; when it is full, the clip CNN
    sees it and the head takes its step. The answer then stands until the next snippet is full.
    Before the first, all labels are alike.
    """

    def __init__(self, clip_cnn: ClipCNN, head: SequenceHead) -> None:
        super().__init__()
        self.clip_cnn = clip_cnn
        self.head = head

    @property
    def body(self) -> ClipCNN:
        """What sees."""
        return self.clip_cnn

    def encode(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) float RGB in 0..1 -> features (B, T / snippet, F).

        ValueError when the snippet's number of frames does not divide T.
        """
        frames = self.clip_cnn.frames
        if clips.shape[1] % frames or not clips.shape[1]:
            message = f"clips are of a multiple of {frames} frames, not of {clips.shape[1]}"
            raise ValueError(message)
        found: Tensor = self.clip_cnn(clips.reshape(-1, frames, *clips.shape[2:]))
        return found.reshape(len(clips), -1, self.clip_cnn.feature_size)

    @torch.inference_mode()
    def features(self, frames: Tensor | NDArray[np.uint8]) -> Tensor:
        """(B, H, W, 3) RGB uint8 -> the same pictures as (B, 3 * H * W) uint8."""
        pictures = torch.as_tensor(frames).to(next(self.parameters()).device)
        wanted = (self.clip_cnn.height, self.clip_cnn.width, 3)
        if tuple(pictures.shape[1:]) != wanted or pictures.dtype != torch.uint8:
            message = f"(B, *{wanted}) uint8 is wanted, got {frames.dtype} {tuple(frames.shape)}"
            raise ValueError(message)
        return pictures.permute(0, 3, 1, 2).flatten(1)

    def initial_state(self, batch: int) -> State:
        """Pictures of the open snippet (B, T, 3HW), their number (B,), logits, the head's state."""
        like = next(self.parameters())
        size = 3 * self.clip_cnn.height * self.clip_cnn.width
        return (
            like.new_zeros((batch, self.clip_cnn.frames, size), dtype=torch.uint8),
            like.new_zeros(batch, dtype=torch.int64),
            like.new_zeros(batch, self.head.classes),
            *self.head.initial_state(batch),
        )

    @torch.inference_mode()
    def step(self, feature: Tensor, state: State) -> tuple[Tensor, State]:
        """Pictures (B, 3HW) and the state so far -> logits (B, classes) and the state after it."""
        pictures, count, logits, *memory = (part.clone() for part in state)
        rows = torch.arange(len(count), device=count.device)
        pictures[rows, count] = feature
        count += 1
        full = torch.nonzero(count == self.clip_cnn.frames).flatten()
        if len(full):
            shape = (-1, self.clip_cnn.frames, 3, self.clip_cnn.height, self.clip_cnn.width)
            found = self.clip_cnn(pictures[full].reshape(shape).float() / 255)
            logits[full], after = self.head.step(found, tuple(part[full] for part in memory))
            for part, new in zip(memory, after, strict=True):
                part[full] = new
            count[full] = 0
        return logits, (pictures, count, logits.clone(), *memory)


def build_clip(architecture: dict[str, Any]) -> ClipNetwork:
    """The network, with random weights, that an architecture names.

    `{"way", "cnn": {"name", "width", "height", ...}, "head": {"name", ...}, "classes": n}`; for a
    way that sees snippets, `cnn` names a clip CNN and how many `frames` it takes.
    """
    name = architecture["way"]
    if name not in WAYS:
        message = f"no way to label clips is called {name!r}; there are {', '.join(WAYS)}"
        raise CheckpointError(message)
    way = WAYS[name]
    options = dict(architecture["head"])
    kind = options.pop("name")
    if kind not in way.heads:
        message = f"{name} is read by {' or '.join(way.heads)}, not by {kind!r}"
        raise CheckpointError(message)
    if way.sees == "frame":
        cnn = FrameCNN(**architecture["cnn"])
        return FrameNetwork(
            cnn, CLIP_HEADS[kind](cnn.feature_size, architecture["classes"], **options)
        )
    clip_cnn = ClipCNN(**architecture["cnn"])
    return SnippetNetwork(
        clip_cnn, CLIP_HEADS[kind](clip_cnn.feature_size, architecture["classes"], **options)
    )


def load_labeller(
    weights: str | Path, device: str = "cpu"
) -> tuple[Card, ActionNetwork | ClipNetwork]:
    """Card and network, in eval mode on `device`, of a shipped name or a path: any of the ways."""
    return load_network(weights, "action", _build_any, device)


def _build_any(architecture: dict[str, Any]) -> ActionNetwork | ClipNetwork:
    return build_clip(architecture) if "way" in architecture else build(architecture)


def stored_features(
    network: ClipNetwork,
    store: FeatureStore,
    file: Path,
    clips: Iterable[NDArray[np.uint8]],
    batch: int = 32,
) -> Rows:
    """(N, n, F): what the network's body sees in the clips (T, H, W, 3) RGB of `file`, in order.

    They are taken from the store when the same body has seen the same file before; then `clips` is
    not touched. Call `eval()` before.
    """
    body = network.body
    made = {"name": body.name, "width": body.width, "height": body.height}
    if isinstance(body, ClipCNN):
        made["frames"] = body.frames
    key = feature_key(file, body, made)
    return store.get(key, lambda: _encoded(network, clips, batch))


@torch.inference_mode()
def _encoded(
    network: ClipNetwork, clips: Iterable[NDArray[np.uint8]], batch: int
) -> Iterator[Rows]:
    group: list[NDArray[np.uint8]] = []
    for clip in clips:
        group.append(clip)
        if len(group) == batch:
            yield _rows(network, group)
            group = []
    if group:
        yield _rows(network, group)


def _rows(network: ClipNetwork, group: list[NDArray[np.uint8]]) -> Rows:
    pictures = torch.from_numpy(np.stack(group)).permute(0, 1, 4, 2, 3).float() / 255
    rows: Rows = network.encode(pictures).float().numpy()
    return rows
