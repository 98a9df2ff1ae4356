import itertools

import numpy as np
import pytest

from models.training.sound_data import Samples, Sound
from models.training.sound_mix import IGNORED, Ints, Mixer, synthetic_bed

RATE, HOP = 8000, 800
LABELS = ("background", "high", "low")


def tones() -> dict[Sound, Ints]:
    """Two labels that are told apart by pitch, so what is labelled can be measured."""
    sounds = {}
    for label, pitch in (("high", 3000), ("low", 200)):
        wave = np.sin(np.arange(3 * RATE) * 2 * np.pi * pitch / RATE) * 20_000
        sounds[Sound("p", label, label, "p", label)] = wave.astype(np.int16)
    return sounds


def mixer(seed: int = 0, uses: int = 1) -> Mixer:
    return Mixer(tones(), LABELS, RATE, HOP, seed, uses)


def test_windows_have_samples_in_range_and_a_label_for_every_hop() -> None:
    samples, targets = next(mixer().batches(4, 20))
    assert samples.shape == (4, 1, 20 * HOP)
    assert targets.shape == (4, 20)
    assert samples.abs().max() <= 1
    assert set(np.unique(targets)) <= {IGNORED, 0, 1, 2}


def test_the_same_seed_gives_the_same_windows() -> None:
    one, two, other = (mixer(seed).window(20) for seed in (5, 5, 6))
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])
    assert not np.array_equal(one[0], other[0])


def test_kept_events_come_again_among_other_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    whole = Mixer._event

    def counted(self: Mixer, label: int, longest_s: float = 2.5) -> Samples:
        made.append(label)
        return whole(self, label, longest_s)

    monkeypatch.setattr(Mixer, "_event", counted)
    source = mixer(4, uses=8)
    windows = [source.window(20)[0] for _ in range(100)]
    assert 15 < len(made) < 45  # 150 events are in the windows
    assert len({window.tobytes() for window in windows}) == 100


def test_labelled_hops_hold_the_sound_of_their_label() -> None:
    source, right, wrong = mixer(1), 0, 0
    for _ in range(60):
        samples, targets = source.window(20)
        for hop in np.flatnonzero(targets > 0):
            power = np.abs(np.fft.rfft(samples[hop * HOP : (hop + 1) * HOP])) ** 2
            pitch_is_high = power[200:400].sum() > power[8:60].sum()
            right += pitch_is_high == (targets[hop] == 1)
            wrong += pitch_is_high != (targets[hop] == 1)
    assert right > 200
    assert wrong < 0.1 * right


def test_hops_beside_an_event_are_unclear_and_never_another_label() -> None:
    source = mixer(2)
    for _ in range(40):
        _, targets = source.window(20)
        ends = np.flatnonzero((targets[:-1] > 0) & (targets[1:] == 0))
        assert not len(ends)


def test_streams_say_when_each_sound_was_planted() -> None:
    samples, planted = mixer(3).stream(20.0)
    assert len(samples) == 20 * RATE
    assert len(planted) >= 4
    for before, after in itertools.pairwise(planted):
        assert 0.5 <= after.start_s - before.end_s <= 2.0
    bed = samples[: int(planted[0].start_s * RATE)]
    for event in planted:
        part = samples[int(event.start_s * RATE) : int(event.end_s * RATE)]
        assert np.abs(part).max() > np.abs(bed).max()
        assert event.label in LABELS[1:]


@pytest.mark.parametrize("seed", range(6))
def test_a_synthetic_bed_sounds_all_the_time(seed: int) -> None:
    bed = synthetic_bed(4 * RATE, RATE, np.random.default_rng(seed))
    levels = np.square(bed.reshape(-1, RATE // 2)).mean(axis=1)
    assert np.isfinite(bed).all()
    assert levels.min() > 0.005 * levels.max()
