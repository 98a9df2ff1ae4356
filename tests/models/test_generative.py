import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.generative import (
    SILENCE,
    GenerativeWaveNet,
    from_mu_law,
    mu_law,
    next_sample_loss,
)
from models.training.loop import fit

SMALL = {"channels": 8, "skips": 12, "dilations": (1, 2, 4, 8)}


def _network(**changes: object) -> GenerativeWaveNet:
    torch.manual_seed(0)
    return GenerativeWaveNet(**{**SMALL, **changes}).eval()  # type: ignore[arg-type]


def _values(batch: int, length: int) -> torch.Tensor:
    return torch.randint(256, (batch, length), generator=torch.Generator().manual_seed(1))


def test_mu_law_keeps_every_value() -> None:
    values = torch.arange(256)
    assert torch.equal(mu_law(from_mu_law(values)), values)
    assert mu_law(torch.zeros(1)).item() == SILENCE
    assert mu_law(torch.tensor([-3.0, -1.0, 1.0, 3.0])).tolist() == [0, 0, 255, 255]


def test_mu_law_is_that_of_the_standard() -> None:
    x = torch.tensor([0.01, 0.1, 0.5])
    squeezed = torch.log(1 + 255 * x) / math.log(256)  # ITU-T G.711, mu = 255
    assert torch.equal(mu_law(x), ((squeezed + 1) / 2 * 255 + 0.5).long())


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(2, 3))
def test_streaming_equals_the_whole(cuts: list[int], kernel: int) -> None:
    network = _network(kernel=kernel)
    values = _values(2, sum(cuts))
    state, parts = network.initial_state(2), []
    for part in torch.split(values, cuts, dim=1):
        logits, state = network.stream(part, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), network(values), atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=20)
@given(
    st.integers(2, 3),
    st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1, max_size=5),
)
def test_a_value_reaches_the_receptive_field_and_nothing_before_or_at_it(
    kernel: int, dilations: list[int]
) -> None:
    network = _network(kernel=kernel, dilations=tuple(dilations))
    length, at = network.receptive_field + 12, 5
    values = _values(1, length)
    other = values.clone()
    other[0, at] = (other[0, at] + 100) % 256
    changed = (network(values) != network(other)).any(-1)[0].nonzero().flatten().tolist()
    assert changed[0] == at + 1
    assert changed[-1] == at + network.receptive_field


def test_drawing_goes_on_where_the_state_stopped() -> None:
    network = _network()
    whole, _ = network.sample(12, network.initial_state(3), torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    first, state = network.sample(5, network.initial_state(3), generator)
    second, _ = network.sample(7, state, generator)
    assert torch.equal(torch.cat((first, second), 1), whole)
    assert whole.abs().max() <= 1


def test_what_is_drawn_has_the_odds_that_the_logits_say() -> None:
    network = _network()
    state = network.initial_state(4000)
    logits, _ = network.next_logits(network.initial_state(1))
    drawn, _ = network.sample(1, state, torch.Generator().manual_seed(0))
    share = torch.bincount(mu_law(drawn).flatten(), minlength=256) / 4000
    assert (share - logits[0].softmax(-1)).abs().max() < 0.02


def test_it_learns_a_tone_and_finds_noise_unusual() -> None:
    time = torch.arange(4000) / 8000
    tone = 0.5 * torch.sin(2 * math.pi * 400 * time)
    generator = torch.Generator().manual_seed(0)

    def batches() -> torch.Tensor:
        starts = torch.randint(3000, (8,), generator=generator).tolist()
        return torch.stack([tone[start : start + 200] for start in starts])

    network = _network(channels=16, skips=32, dilations=(1, 2, 4, 8, 16))
    log = fit(
        network,
        [batches() for _ in range(30)],
        lambda net, samples: next_sample_loss(network, samples),
        steps=60,
        learning_rate=1e-2,
        weight_decay=0.0,
        seed=0,
    )
    assert log.final_loss < 0.5 * log.losses[0]
    noise = torch.rand(1, 400, generator=generator) - 0.5
    known, _ = network.surprise(tone[None, :400], 200, network.initial_state(1))
    odd, _ = network.surprise(noise, 200, network.initial_state(1))
    assert known.shape == (1, 2)
    assert (odd > known + 1).all()


def test_surprise_is_the_same_in_any_division_into_hops() -> None:
    network = _network()
    samples = torch.rand(2, 40) - 0.5
    whole, _ = network.surprise(samples, 10, network.initial_state(2))
    state, parts = network.initial_state(2), []
    for part in (samples[:, :10], samples[:, 10:40]):
        cost, state = network.surprise(part, 10, state)
        parts.append(cost)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


def test_bad_shapes_and_options_are_refused() -> None:
    network = _network()
    with pytest.raises(ValueError, match=r"\(B, T\)"):
        network(torch.zeros(1, 0, dtype=torch.long))
    with pytest.raises(ValueError, match="n of at least 1"):
        network.surprise(torch.zeros(1, 15), 10, network.initial_state(1))
    with pytest.raises(ValueError, match="above 0"):
        network.sample(1, network.initial_state(1), torch.Generator(), temperature=0)
    with pytest.raises(ValueError, match="kernel"):
        GenerativeWaveNet(kernel=1)
