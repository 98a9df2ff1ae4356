from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.training.dataset import Example
from models.training.dataset_split import Parts
from models.training.settings import Rounds, Settings, Workplace, balancing_weights

PLAIN = Settings(steps=1, batch=1, learning_rate=0.1)


def numbered(number: int) -> Iterator[tuple[int, int]]:
    return ((number, at) for at in count())


@given(st.integers(1, 9), st.integers(0, 40))
def test_rounds_that_begin_anywhere_give_the_same_batches(length: int, step: int) -> None:
    rounds = Rounds(numbered, length)
    whole = list(islice(rounds.from_step(0), 60))
    assert list(islice(rounds.from_step(step), 60 - step)) == whole[step:]
    assert whole[:2] == ([(0, 0), (0, 1)] if length > 1 else [(0, 0), (1, 0)])


def test_rare_labels_count_more_unless_told_otherwise() -> None:
    examples = [Example(Path(str(n)), "often" if n < 9 else "rare") for n in range(12)]
    parts: Parts = {"train": examples, "validation": [], "test": []}
    weights = balancing_weights(("often", "rare"), parts, PLAIN)
    assert weights is not None
    assert weights.mean() == pytest.approx(1.0)
    assert float(weights[1] / weights[0]) == pytest.approx(3.0)
    even = Settings(steps=1, batch=1, learning_rate=0.1, class_weights=False)
    assert balancing_weights(("often", "rare"), parts, even) is None


def test_an_old_state_goes_unless_the_run_is_resumed(tmp_path: Path) -> None:
    Workplace(tmp_path).state({"a": 1}).write({"x": torch.zeros(1)}, {})
    assert Workplace(tmp_path, resume=True).state({"a": 1}).read() is not None
    assert Workplace(tmp_path).state({"a": 1}).read() is None
