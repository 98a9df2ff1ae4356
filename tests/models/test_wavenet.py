import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.card import Card, CheckpointError
from models.checkpoint import save
from models.dilated import State
from models.wavenet import BandMask, Filterbank, WaveNet, build, load_sound

HOP = 80
ARCHITECTURE = {
    "classes": 3,
    "sample_rate": 800,
    "hop": HOP,
    "stride": 8,
    "taps": 20,
    "bands": 6,
    "channels": 8,
    "skips": 8,
    "dilations": [1, 2, 4, 1, 2, 4],
    "patch": 2,
    "level_hops": 3,
    "pool_hops": 2,
}
HOPS = 16


def network() -> WaveNet:
    """A small network whose norms hold statistics of their own, as after training."""
    torch.manual_seed(1)
    made = build(ARCHITECTURE).double()
    made.train()
    for _ in range(3):
        made(torch.randn(4, 1, HOPS * HOP, dtype=torch.double))
    return made.eval()


NETWORK = network()


def noise(batch: int = 1, hops: int = HOPS, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 1, hops * HOP, generator=generator, dtype=torch.double) * 2 - 1


def in_chunks(x: Tensor, hops: list[int], state: State | None = None) -> Tensor:
    state = NETWORK.initial_state(len(x)) if state is None else state
    rows = []
    for part in x.split([n * HOP for n in hops], dim=-1):
        logits, state = NETWORK.stream(part, state)
        rows.append(logits)
    return torch.cat(rows, dim=1)


@torch.no_grad()
def test_one_row_of_logits_per_hop() -> None:
    x = noise(2)
    assert NETWORK(x).shape == (2, HOPS, 3)
    longer = torch.cat((x, x[..., : HOP - 1]), dim=-1)
    assert torch.equal(NETWORK(longer), NETWORK(x))


@given(st.integers(0, HOPS * HOP - 40), st.sampled_from((0.1, 0.4, 1.0)))
@settings(max_examples=25, deadline=None)
def test_a_change_alters_nothing_before_it(sample: int, size: float) -> None:
    x = noise()
    changed = x.clone()
    changed[..., sample:] += size
    with torch.no_grad():
        before, after = NETWORK(x), NETWORK(changed)
    hop = sample // HOP
    assert torch.equal(before[:, :hop], after[:, :hop])
    assert not torch.equal(before[:, hop:], after[:, hop:])


def test_the_receptive_field_is_the_one_that_is_stated() -> None:
    x = noise(hops=HOPS).requires_grad_()
    NETWORK(x)[0, -1].sum().backward()
    assert x.grad is not None
    reached = x.grad[0, 0].nonzero().min().item()
    measured = HOPS * HOP - reached
    assert measured <= NETWORK.receptive_field < HOPS * HOP
    assert NETWORK.receptive_field - measured < HOP


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_chunking_gives_the_logits_of_the_whole(data: st.DataObject) -> None:
    left, hops = HOPS, []
    while left:
        hops.append(data.draw(st.integers(1, left)))
        left -= hops[-1]
    x = noise(seed=len(hops))
    with torch.no_grad():
        assert torch.allclose(in_chunks(x, hops), NETWORK(x), atol=1e-10)


@torch.no_grad()
def test_streaming_equals_offline_in_single_precision_at_the_shipped_size() -> None:
    torch.manual_seed(0)
    full = WaveNet(classes=6)
    full(torch.randn(2, 1, 16_000) * 0.1)
    full.eval()
    x = torch.rand(2, 1, 32_000) * 2 - 1
    state, rows = full.initial_state(2), []
    for part in x.split([1600, 4800, 1600, 8000, 16_000], dim=-1):
        logits, state = full.stream(part, state)
        rows.append(logits)
    assert (torch.cat(rows, dim=1) - full(x)).abs().max() < 1e-5


@torch.no_grad()
def test_a_saved_state_goes_on_where_it_stopped(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    x = noise()
    head, tail = x[..., : 5 * HOP], x[..., 5 * HOP :]
    _, state = NETWORK.stream(head, NETWORK.initial_state(1))
    save_file({name: part.contiguous() for name, part in state.items()}, tmp_path / "state")
    expected, _ = NETWORK.stream(tail, state)
    restored, _ = NETWORK.stream(tail, load_file(tmp_path / "state"))
    assert torch.equal(expected, restored)
    assert torch.allclose(expected, NETWORK(x)[:, 5:], atol=1e-10)


@torch.no_grad()
def test_streams_in_one_batch_do_not_see_each_other() -> None:
    x = noise(batch=4)
    together = in_chunks(x, [3, 4, 9])
    for row in range(4):
        assert torch.allclose(together[row], in_chunks(x[row : row + 1], [3, 4, 9])[0], atol=1e-10)


@torch.no_grad()
def test_states_of_streams_join_and_part_along_the_first_dimension() -> None:
    x = noise(batch=2)
    states = [NETWORK.stream(row[None, :, : 3 * HOP], NETWORK.initial_state(1))[1] for row in x]
    joined = {name: torch.cat([state[name] for state in states]) for name in states[0]}
    logits, _ = NETWORK.stream(x[..., 3 * HOP :], joined)
    assert torch.allclose(logits, NETWORK(x)[:, 3:], atol=1e-10)


@pytest.mark.parametrize("shape", [(HOP,), (1, HOP), (1, 2, HOP), (1, 1, HOP - 1)])
def test_a_wrong_shape_is_refused_at_the_door(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="got"):
        NETWORK(torch.zeros(shape, dtype=torch.double))


def test_a_chunk_that_is_no_whole_number_of_hops_is_refused() -> None:
    with pytest.raises(ValueError, match=rf"n \* {HOP}"):
        NETWORK.stream(noise()[..., : HOP + 1], NETWORK.initial_state(1))


def test_a_state_of_another_number_of_streams_is_refused() -> None:
    with pytest.raises(ValueError, match="state of 3"):
        NETWORK.stream(noise(batch=2), NETWORK.initial_state(3))


def test_an_impossible_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        WaveNet(classes=2, hop=100, stride=30)
    with pytest.raises(ValueError, match="skipped"):
        WaveNet(classes=2, taps=100)


@torch.no_grad()
def test_a_checkpoint_gives_the_network_back(tmp_path: Path) -> None:
    card = Card(
        name="small",
        network="wavenet",
        labels=("a", "b", "c"),
        architecture=ARCHITECTURE,
        preprocessing={"sample_rate": 800, "hop": HOP},
    )
    save(tmp_path / "small.safetensors", NETWORK.float().state_dict(), card)
    read, loaded = load_sound(tmp_path / "small.safetensors")
    x = noise().float()
    assert read.labels == ("a", "b", "c")
    assert torch.equal(loaded(x), NETWORK(x))
    NETWORK.double()


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    card = Card(name="other", network="mask_rcnn", labels=(), architecture={}, preprocessing={})
    save(tmp_path / "other.safetensors", {"w": torch.zeros(1)}, card)
    with pytest.raises(CheckpointError, match="mask_rcnn"):
        load_sound(tmp_path / "other.safetensors")


@torch.no_grad()
def test_the_shipped_network_streams_as_it_hears_the_whole() -> None:
    card, shipped = load_sound("sound")
    assert card.preprocessing["hop"] == shipped.hop == 1600
    assert card.labels[0] == "background"
    assert len(card.labels) == shipped.classes
    generator = torch.Generator().manual_seed(3)
    loudness = torch.linspace(0, 0.5, 24 * shipped.hop)
    x = torch.randn(1, 1, 24 * shipped.hop, generator=generator).clamp(-2, 2) * loudness
    state, rows = shipped.initial_state(1), []
    for part in x.split([5 * shipped.hop, shipped.hop, 18 * shipped.hop], dim=-1):
        logits, state = shipped.stream(part, state)
        rows.append(logits)
    assert (torch.cat(rows, dim=1) - shipped(x)).abs().max() < 1e-5


def test_the_filterbank_hears_a_tone_in_its_band_at_its_level() -> None:
    bank = Filterbank(bands=32, taps=400, stride=200, sample_rate=16_000)
    time = torch.arange(200 + 200 * 20) / 16_000
    loudest = []
    for hz in (300.0, 1000.0, 4000.0):
        bands = bank(0.1 * torch.sin(2 * math.pi * hz * time)[None])[0, 5]
        loudest.append(int(bands.argmax()))
        assert bands.max().item() == pytest.approx(math.log(0.01), abs=1.0)
    assert loudest == sorted(set(loudest))


def test_the_filterbank_misses_no_tone_between_two_bands() -> None:
    bank = Filterbank(bands=32, taps=400, stride=200, sample_rate=16_000)
    time = torch.arange(600) / 16_000
    for hz in range(200, 7000, 37):
        bands = bank(torch.sin(2 * math.pi * hz * time)[None])[0]
        assert bands.max().item() > -2.0


def test_a_mask_hides_neighbouring_bands_only_while_training() -> None:
    mask, both = BandMask(widest=6), torch.ones(50, 3, 40)
    torch.manual_seed(0)
    hidden = mask(both) == 0
    assert hidden.any()
    assert (hidden[..., :20] == hidden[..., 20:]).all()  # energy and contrast alike
    assert (hidden == hidden[:, :1]).all()  # for the whole window
    assert int(hidden[:, 0, :20].sum(1).max()) <= 6
    assert torch.equal(mask.eval()(both), both)
