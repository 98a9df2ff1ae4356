"""What the training loop costs: witness's `fit` against a bare torch loop, in pairs.

    python benchmarks/bench_training.py [--pairs 3] [--sound-steps 20] [--frames-steps 100]

Both train the network of `witness train sound DATA` (and of `frames`) with the same seeds on
batches made alike, by AdamW with clipping, one cycle and a running average of the weights; the bare
loop has no progress bar, log, score, state or checks. That both did the same is checked by their
losses. Prints witness's throughput as a ratio to the bare loop's, the median of the pairs (1.00 is
no overhead); the order within a pair alternates.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.action import ActionNetwork, build
from models.training.clip_recipes import FRAMES
from models.training.clip_scores import decided
from models.training.clip_sequences import joined, varied
from models.training.dataset import Example
from models.training.extras import SCHEDULES, Extras
from models.training.label_loss import LabelLoss
from models.training.loop import fit
from models.training.recordings import as_sounds, load_sounds
from models.training.settings import Settings
from models.training.sound_mix import IGNORED, Mixer
from models.training.sound_recipes import RECIPES
from models.wavenet import WaveNet

Batch = tuple[Tensor, Tensor]
LABELS = ("background", "hiss", "ring")


@dataclass(frozen=True, slots=True)
class Case:
    """A network, its batches from the first on, and its logits for the loss."""

    name: str
    network: Callable[[], nn.Module]
    batches: Callable[[], Iterator[Batch]]
    logits: Callable[[nn.Module, Tensor], Tensor]
    settings: Settings
    classes: int


def sound() -> Case:
    """The recipe `wavenet` on made-up rings and hisses."""
    recipe = RECIPES["wavenet"]

    def listen(example: Example, rate: int) -> np.ndarray:
        rng = np.random.default_rng(int(example.path.name))
        at = np.arange(rate) / rate
        ring = np.sin(2 * np.pi * rng.uniform(400, 900) * at)
        return (0.3 * (ring if example.label == "ring" else rng.standard_normal(rate))).astype("f4")

    examples = [Example(Path(str(n)), label) for n in range(20) for label in LABELS[1:]]
    sounds = as_sounds(examples, load_sounds(examples, listen, recipe.sample_rate))
    architecture = recipe.architecture(LABELS, recipe.settings)
    return Case(
        "sound",
        lambda: WaveNet(**architecture),
        lambda: Mixer(
            sounds, LABELS, recipe.sample_rate, architecture["hop"], seed=0, uses=4
        ).batches(recipe.settings.batch, recipe.window_hops),
        lambda network, samples: network(samples),
        recipe.settings,
        len(LABELS),
    )


def frames() -> Case:
    """The recipe `cnn` on noise of two kinds."""
    recipe = FRAMES["cnn"]
    height, width = recipe.cnn["height"], recipe.cnn["width"]
    rng = np.random.default_rng(0)
    clips = [
        (rng.integers(60 * (n % 2), 200, (1, height, width, 3)).astype(np.uint8), n % 2)
        for n in range(20)
    ]

    def batches() -> Iterator[Batch]:
        rng = np.random.default_rng(0)
        while True:
            pictures, targets = joined(clips, recipe.settings.batch, 1, 0, rng)
            yield varied(pictures, rng), targets

    def logits(network: nn.Module, pictures: Tensor) -> Tensor:
        assert isinstance(network, ActionNetwork)
        features = F.dropout(network.cnn(pictures.flatten(0, 1)), recipe.settings.dropout)
        return decided(network, features.reshape(*pictures.shape[:2], -1))

    architecture = {"cnn": recipe.cnn, "head": recipe.head, "classes": 2}
    return Case("frames", lambda: build(architecture), batches, logits, recipe.settings, 2)


def by_witness(case: Case, steps: int) -> tuple[float, list[float]]:
    """Seconds and losses of `fit`."""
    torch.manual_seed(0)
    network, settings = case.network(), case.settings
    judge = LabelLoss(case.classes, None, IGNORED, settings.label_smoothing)
    began = time.perf_counter()
    log = fit(
        network,
        case.batches(),
        lambda student, batch: judge(case.logits(student, batch[0]), batch[1]),
        steps=steps,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
        ema=settings.ema,
        title=case.name,
        extras=Extras(schedule=settings.schedule),
    )
    return time.perf_counter() - began, list(log.losses)


def by_hand(case: Case, steps: int) -> tuple[float, list[float]]:
    """Seconds and losses of a loop as one would write it for this network alone."""
    torch.manual_seed(0)
    network, settings = case.network(), case.settings
    began = time.perf_counter()
    torch.manual_seed(settings.seed)
    network.train()
    flat = [p for p in network.parameters() if p.ndim <= 1]
    deep = [p for p in network.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": deep, "weight_decay": settings.weight_decay},
            {"params": flat, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
    )
    shape = SCHEDULES[settings.schedule]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: shape(step, steps))
    average = None
    if settings.ema is not None:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema))
    losses = []
    for samples, targets in itertools.islice(case.batches(), steps):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(
            case.logits(network, samples).flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORED,
            label_smoothing=settings.label_smoothing,
        )
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if average is not None:
            average.update_parameters(network)
        losses.append(float(loss.detach()))
    return time.perf_counter() - began, losses


def main() -> None:
    """Measures in pairs and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--sound-steps", type=int, default=20)
    parser.add_argument("--frames-steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch has it")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    for case, steps in ((sound(), given.sound_steps), (frames(), given.frames_steps)):
        by_hand(case, 2)
        ratios = []
        for pair in range(given.pairs):
            order = (by_hand, by_witness) if pair % 2 else (by_witness, by_hand)
            found = {way: way(case, steps) for way in order}
            (bare, expected), (witness, losses) = found[by_hand], found[by_witness]
            apart = max(abs(a - b) for a, b in zip(expected, losses, strict=True))
            assert apart < 0.01, f"{case.name}: the two trainings differ by {apart} in a loss"
            ratios.append(bare / witness)
            told = f"bare {bare:.2f} s, witness {witness:.2f} s, {ratios[-1]:.3f}x"
            print(f"{case.name}, {steps} steps: {told}", flush=True)
        print(
            f"{case.name}: median {statistics.median(ratios):.3f}x the bare loop's throughput "
            f"(min {min(ratios):.3f}, max {max(ratios):.3f}, {given.pairs} pairs, "
            f"{torch.get_num_threads()} threads)"
        )


if __name__ == "__main__":
    main()
