from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch

from models.training.mixed_round import MixedBatch, MixedRound
from models.training.recordings import as_sounds
from models.training.sound_mix import Mixer
from tests.models.training.test_own_sounds import made
from tests.own_data import RATE

MADE: list[int] = []


def mixer(seed: int, group: int) -> Mixer:
    MADE.append(group)
    parts, recordings = made()
    sounds = as_sounds(parts["train"], recordings)
    return Mixer(sounds, ("background", "hiss", "ring"), RATE, RATE // 10, 10 * seed + group)


def batches(size: int) -> list[MixedBatch]:
    return list(islice(MixedRound(partial(mixer, 1), size, 4).batches(), 3))


@pytest.mark.parametrize("size", [1, 3, 8, 9])
def test_parts_of_a_batch_are_those_of_the_whole(size: int) -> None:
    whole = [one.part(slice(None)) for one in batches(size)]
    assert whole[0][0].shape == (size, 1, 4 * RATE // 10) and whole[0][1].shape == (size, 4)
    assert not torch.equal(whole[0][0], whole[1][0])
    middle = size // 2
    for rows in (slice(middle), slice(middle, size)):
        if rows.start == rows.stop or rows.stop == 0:
            continue
        for one, (samples, targets) in zip(batches(size), whole, strict=True):
            found = one.part(rows)
            assert torch.equal(found[0], samples[rows]) and torch.equal(found[1], targets[rows])


def test_no_more_is_mixed_than_is_wanted() -> None:
    first, _, third = batches(8)
    MADE.clear()
    assert len(first) == 8
    assert MADE == []
    late = third.part(slice(0, 4))  # the batches before it are skipped, not forgotten
    assert MADE == [0, 1]
    again = [one.part(slice(0, 4)) for one in batches(8)]
    assert torch.equal(late[0], again[2][0])
    assert np.ptp(late[0].numpy()) > 0
