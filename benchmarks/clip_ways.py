"""Six ways to label a clip, on clips where appearance decides, or order, or both.

    python benchmarks/clip_ways.py [--seeds 3] [--from FOLDER]

Digits that move: the same clips, three questions. All ways get the same clips, and digits that are
held out from training stay so. What the frozen ways see with is taught beforehand, per seed, on
other clips of the training digits: a frame CNN to name digits in still pictures, a clip CNN to name
the digit and in which of eight directions it moves. Writes clip_ways.json beside this file;
`make docs` draws it. Times are CPU time of one core, as machines have others to serve too.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.clip import WAYS, ClipNetwork, build_clip, stored_features
from models.features import FeatureStore
from models.sequence import FeatureVote
from models.training.digits import MNIST, Digits, read_digits, split_digits
from models.training.loop import fit, seed_everything
from models.training.moving_digits import (
    DIGIT,
    FRAMES,
    QUESTIONS,
    SIDE,
    MovingDigits,
    Question,
    draw,
    moving_digits,
)
from models.training.packages import fetch

HERE = Path(__file__).parent
TRAIN_PAIRS, TEST_PAIRS, SNIPPET = 800, 200, 4
FRAME = {"name": "tiny", "width": SIDE, "height": SIDE, "channels": [8, 16, 24]}
CLIP = {"name": "c3d_small", "width": SIDE, "height": SIDE, "channels": [8, 16, 32], "stride": 2}
HEADS: dict[str, dict[str, Any]] = {
    "frame_vote": {"name": "vote", "window": FRAMES},
    "cnn_rnn": {"name": "gru"},
    "conv3d": {"name": "latest"},
    "features_rnn": {"name": "gru"},
    "features_mlp": {"name": "mlp", "window": FRAMES},
    "conv3d_features_rnn": {"name": "gru"},
    "conv3d_features_mlp": {"name": "mlp", "window": FRAMES // SNIPPET},
}
STEPS, BATCH = {False: 1000, True: 250}, {False: 16, True: 32}  # by whether what sees is frozen
VOTE_FRAMES = 4  # of each clip, as a vote learns from frames alone
DIRECTIONS = 8


@dataclass(frozen=True, slots=True)
class Result:
    """One way, one question, one seed; training time is without what is shared."""

    way: str
    question: str
    seed: int
    accuracy: float
    training_s: float
    clip_ms: float


@dataclass(frozen=True, slots=True)
class Clips:
    """The clips of one split, and the file they are in."""

    made: MovingDigits
    file: Path


def network_of(way: str, question: Question, seed: int) -> ClipNetwork:
    """The network of a way with fresh weights."""
    seed_everything(seed)
    frames = FRAMES if way == "conv3d" else SNIPPET
    sees = FRAME if WAYS[way].sees == "frame" else {**CLIP, "frames": frames}
    classes = len(QUESTIONS[question])
    return build_clip({"way": way, "cnn": sees, "head": HEADS[way], "classes": classes})


def pictures(clips: NDArray[np.uint8]) -> Tensor:
    """(N, T, H, W, 3) uint8 -> (N, T, 3, H, W) in 0..1."""
    return torch.from_numpy(clips).permute(0, 1, 4, 2, 3).float() / 255


def batches(inputs: NDArray[Any], labels: NDArray[np.int64], size: int, seed: int
            ) -> Iterator[tuple[NDArray[Any], Tensor]]:  # fmt: skip
    """Batches without end, each example once a round."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(labels))
        for first in range(0, len(order) - size + 1, size):
            chosen = np.sort(order[first : first + size])
            yield inputs[chosen], torch.from_numpy(labels[chosen])


def learn(network: ClipNetwork, inputs: NDArray[Any], labels: NDArray[np.int64], seed: int,
          frozen: bool) -> None:  # fmt: skip
    """Trains the whole network on clips, or its head alone on stored features."""
    rng = np.random.default_rng(seed)

    def loss(student: nn.Module, batch: tuple[NDArray[Any], Tensor]) -> Tensor:
        del student
        given, wanted = batch
        if isinstance(network.head, FeatureVote):
            given = given[:, rng.permutation(FRAMES)[:VOTE_FRAMES]]
        features = torch.from_numpy(given) if frozen else network.encode(pictures(given))
        return network.loss(features, wanted)

    fit(
        network.head if frozen else network,
        batches(inputs, labels, BATCH[frozen], seed),
        loss,
        steps=STEPS[frozen],
        learning_rate=2e-3,
        weight_decay=1e-2,
        seed=seed,
        title=f"seed {seed}",
    )
    network.eval()


def teach_frames(network: ClipNetwork, digits: Digits, seed: int, steps: int = 800) -> None:
    """The frame CNN learns to name digits in still pictures."""
    rng = np.random.default_rng(1000 + seed)
    shown = np.stack(
        [draw(one, *rng.uniform(0, SIDE - DIGIT, (2, 1)), rng)[0] for one in digits.pictures]
    )
    shown = np.repeat(shown[..., None], 3, axis=-1)
    decide = nn.Linear(network.body.feature_size, 10)

    def loss(student: nn.Module, batch: tuple[NDArray[Any], Tensor]) -> Tensor:
        del student
        features = network.encode(pictures(batch[0][:, None]))[:, 0]
        return F.cross_entropy(decide(features), batch[1])

    student = nn.ModuleList([network.body, decide])
    fit(student, batches(shown, digits.labels, 64, seed), loss, steps=steps,
        learning_rate=2e-3, weight_decay=1e-2, seed=seed, title="frame CNN")  # fmt: skip


def teach_snippets(network: ClipNetwork, digits: Digits, seed: int, steps: int = 250) -> None:
    """The clip CNN learns which digit a snippet shows and which way it moves."""
    rng = np.random.default_rng(2000 + seed)
    ways = rng.integers(0, DIRECTIONS, len(digits.labels))
    room = SIDE - DIGIT
    shown = []
    for picture, way in zip(digits.pictures, ways, strict=True):
        angle = 2 * np.pi * (way + rng.uniform(-0.3, 0.3)) / DIRECTIONS
        path = np.linspace(-0.5, 0.5, SNIPPET)[:, None] * rng.uniform(2, 5)
        path = path * np.array([np.cos(angle), np.sin(angle)]) + rng.uniform(2.5, room - 2.5, 2)
        shown.append(draw(picture, path[:, 0], path[:, 1], rng))
    clips = np.repeat(np.stack(shown)[..., None], 3, axis=-1)
    decide = nn.Linear(network.body.feature_size, 10 + DIRECTIONS)

    def loss(student: nn.Module, batch: tuple[NDArray[Any], Tensor]) -> Tensor:
        del student
        logits = decide(network.encode(pictures(batch[0]))[:, 0])
        return F.cross_entropy(logits[:, :10], batch[1] % 10) + F.cross_entropy(
            logits[:, 10:], batch[1] // 10
        )

    student = nn.ModuleList([network.body, decide])
    fit(student, batches(clips, digits.labels + 10 * ways, 64, seed), loss, steps=steps,
        learning_rate=2e-3, weight_decay=1e-2, seed=seed, title="clip CNN")  # fmt: skip


@torch.inference_mode()
def right(network: ClipNetwork, inputs: NDArray[Any], labels: NDArray[np.int64], stored: bool
          ) -> float:  # fmt: skip
    """The share of clips, or of their stored features, that are labelled rightly."""
    found = []
    for first in range(0, len(labels), 100):
        part = inputs[first : first + 100]
        features = torch.from_numpy(part.copy()) if stored else network.encode(pictures(part))
        found.append(network.decide(features).argmax(1).numpy())
    return float((np.concatenate(found) == labels).mean())


@torch.inference_mode()
def milliseconds(network: ClipNetwork, clip: NDArray[np.uint8], times: int = 15) -> float:
    """The median CPU time of one clip, pixels to logits."""
    taken = []
    for _ in range(times + 2):
        began = time.process_time()
        network(pictures(clip[None]))
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken[2:])


def run_seed(seed: int, digits: tuple[Digits, Digits], folder: Path, shared: dict[str, Any]
             ) -> Iterator[Result]:  # fmt: skip
    """The results of all ways and questions for one seed."""
    store = FeatureStore(folder / "features")
    splits = []
    for name, part, pairs, first in (
        ("train", digits[0], TRAIN_PAIRS, 0),
        ("test", digits[1], TEST_PAIRS, 500),
    ):
        made = moving_digits(part, pairs, first + seed)
        file = folder / f"{name}-{seed}.npy"
        np.save(file, made.clips)
        splits.append(Clips(made, file))
    bodies: dict[str, dict[str, Tensor]] = {}
    for sees, way, teach in (
        ("frame", "features_rnn", teach_frames),
        ("snippet", "conv3d_features_rnn", teach_snippets),
    ):
        began = time.process_time()
        network = network_of(way, "order", seed)
        teach(network, digits[0], seed)
        bodies[sees] = network.eval().body.state_dict()
        shared.setdefault(f"teach_{sees}_s", []).append(time.process_time() - began)
        began = time.process_time()
        for split in splits:
            stored_features(network, store, split.file, iter(split.made.clips))
        shared.setdefault(f"store_{sees}_s", []).append(time.process_time() - began)
    for way, record in WAYS.items():
        for question in QUESTIONS:
            network = network_of(way, question, seed)
            inputs: list[NDArray[Any]] = [split.made.clips for split in splits]
            if record.frozen:
                network.body.load_state_dict(bodies[record.sees])
                network.eval()
                inputs = [stored_features(network, store, s.file, iter([])) for s in splits]
            train, test = (split.made.labels(question) for split in splits)
            began = time.process_time()
            learn(network, inputs[0], train, seed, record.frozen)
            seconds = time.process_time() - began
            accuracy = right(network, inputs[1], test, record.frozen)
            clip_ms = milliseconds(network, splits[1].made.clips[0])
            yield Result(way, question, seed, accuracy, seconds, clip_ms)


def main() -> None:
    """Trains, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--from", dest="given", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "clip_ways.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    digits = split_digits(read_digits(fetch(MNIST, options.given)))
    results: list[Result] = []
    shared: dict[str, Any] = {}
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            for result in run_seed(seed, digits, Path(folder), shared):
                print(asdict(result), flush=True)
                results.append(result)
    report = {
        "cpu": cpu_name(),
        "threads": 1,
        "train_clips": 2 * TRAIN_PAIRS,
        "test_clips": 2 * TEST_PAIRS,
        "cpu_s": round(time.process_time() - began),
        "shared": {name: round(statistics.mean(times), 1) for name, times in shared.items()},
        "results": [asdict(result) for result in results],
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def cpu_name() -> str:
    """What the system calls its CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
