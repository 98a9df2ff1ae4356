import numpy as np
import pytest
import torch

from models.training.sound_data import Sound
from models.training.sound_floor import balanced_accuracy, mfcc
from models.training.sound_score import (
    EXCERPTS_PER_LABEL,
    Excerpt,
    excerpts,
    judge,
    judge_floor,
    name_excerpts,
    spread,
)
from models.wavenet import WaveNet

RATE = 8000


def tone(pitch: float, seconds: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 300, round(seconds * RATE))
    wave = np.sin(np.arange(len(noise)) * 2 * np.pi * pitch / RATE) * 15_000
    return (wave + noise).astype(np.int16)


def sounds(label: str, pitch: float, count: int, seconds: float) -> dict[Sound, np.ndarray]:
    return {
        Sound("p", f"{label}{n}", label, "p", f"{label}{n}"): tone(pitch + n, seconds, n)
        for n in range(count)
    }


def test_long_files_give_four_excerpts_and_short_ones_one() -> None:
    cut = excerpts(sounds("low", 300, 2, 10.0) | sounds("high", 2000, 3, 0.5), RATE)
    assert [excerpt.label for excerpt in cut] == ["high"] * 3 + ["low"] * 8
    assert {len(excerpt.samples) for excerpt in cut} == {RATE // 2, 2 * RATE}


def test_every_excerpt_has_the_same_level() -> None:
    loud, quiet = tone(300, 1.0), tone(300, 1.0) // 20
    cut = excerpts(
        {Sound("p", "a", "x", "p", "a"): loud, Sound("p", "b", "x", "p", "b"): quiet}, RATE
    )
    levels = [float(np.sqrt(np.square(excerpt.samples).mean())) for excerpt in cut]
    assert levels == pytest.approx([0.05, 0.05], rel=1e-3)


def test_a_label_with_many_files_is_capped() -> None:
    assert (
        len(excerpts(sounds("low", 300, EXCERPTS_PER_LABEL + 9, 0.2), RATE)) == EXCERPTS_PER_LABEL
    )


def test_figures_count_what_was_said() -> None:
    figures = judge(["a", "a", "a", "b"], ["a", "a", "b", "b"])
    assert figures["accuracy"] == 0.75
    assert figures["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)
    assert figures["confusion"] == {"a": {"a": 2, "b": 1}, "b": {"a": 0, "b": 1}}
    assert balanced_accuracy(["a"], ["b"]) == 0.0


def test_the_spread_is_mean_and_range() -> None:
    runs = [
        {"accuracy": 0.8, "balanced_accuracy": 0.6},
        {"accuracy": 0.9, "balanced_accuracy": 0.7},
    ]
    over = spread(runs)
    assert over["accuracy"] == 0.85
    assert over["balanced_accuracy_range"] == [0.6, 0.7]


def test_the_floor_tells_two_pitches_apart() -> None:
    train = sounds("low", 300, 6, 0.5) | sounds("high", 2000, 6, 0.5)
    held = sounds("low", 320, 3, 0.5) | sounds("high", 2100, 3, 0.5)
    assert judge_floor(train, held, held, RATE, seed=0)["accuracy"] == 1.0


def test_mfcc_has_a_frame_even_for_a_click() -> None:
    assert mfcc(np.ones(3, np.float32), RATE).shape == (1, 20)
    assert mfcc(np.ones(RATE, np.float32), RATE).shape == (97, 20)


def test_only_labels_that_can_be_true_are_said() -> None:
    torch.manual_seed(0)
    network = WaveNet(classes=3, sample_rate=RATE, hop=800, stride=100, taps=200).eval()
    with torch.no_grad():
        network.last.bias.copy_(torch.tensor([9.0, 0.0, 5.0]))
    given = [Excerpt(label, np.zeros(900, np.float32)) for label in ("low", "high")]
    assert name_excerpts(network, ("background", "low", "high"), given) == ["high", "high"]
