import pytest
import torch
from torch import Tensor, nn

from models.training.loop import TrainingLog, fit, one_cycle

Batch = tuple[Tensor, Tensor]


def line(seed: int = 0) -> list[Batch]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 16, 3, generator=generator)
    return [(part, part @ torch.tensor([[1.0], [-2.0], [0.5]])) for part in x]


def squared(network: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.mse_loss(network(batch[0]), batch[1])


def train(ema: float | None = None, seed: int = 3) -> tuple[nn.Linear, TrainingLog]:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    log = fit(
        network,
        line(),
        squared,
        steps=200,
        learning_rate=0.05,
        weight_decay=0.0,
        seed=seed,
        ema=ema,
    )
    return network, log


def test_fit_learns_and_logs_every_step() -> None:
    network, log = train()
    assert log.steps == len(log.losses) == 200
    assert log.final_loss < 1e-3 < log.losses[0]
    assert torch.allclose(network.weight, torch.tensor([[1.0, -2.0, 0.5]]), atol=0.01)
    assert not network.training


def test_the_average_of_the_weights_replaces_the_last_ones() -> None:
    assert not torch.equal(train()[0].weight, train(ema=0.95)[0].weight)
    assert torch.allclose(train(ema=0.95)[0].weight, train()[0].weight, atol=0.1)


def test_the_same_seed_gives_the_same_weights() -> None:
    def noisy(network: nn.Module, batch: Batch) -> Tensor:
        return squared(network, (batch[0] + 0.1 * torch.randn_like(batch[0]), batch[1]))

    def run(seed: int) -> Tensor:
        torch.manual_seed(0)
        network = nn.Linear(3, 1)
        fit(network, line(), noisy, steps=20, learning_rate=0.05, weight_decay=0.0, seed=seed)
        return network.weight.detach()

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_biases_are_not_decayed() -> None:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.bias, 1.0)

    def nothing(network: nn.Module, batch: Tensor) -> Tensor:
        return 0.0 * network(batch).sum()

    before = network.weight.detach().clone()
    fit(network, [torch.ones(1, 2)], nothing, steps=5, learning_rate=0.1, weight_decay=1.0, seed=0)
    assert torch.equal(network.bias, torch.ones(2))
    assert network.weight.abs().sum() < before.abs().sum()


def test_the_cycle_rises_to_one_and_falls_to_zero() -> None:
    shares = [one_cycle(step, 100) for step in range(101)]
    assert max(shares) == shares[9] == 1.0
    assert shares[0] == pytest.approx(0.1)
    assert shares[100] == pytest.approx(0.0, abs=1e-9)


def test_steps_are_reported() -> None:
    seen: list[int] = []
    fit(
        nn.Linear(3, 1),
        line(),
        squared,
        steps=3,
        learning_rate=0.01,
        weight_decay=0.0,
        seed=0,
        on_step=lambda step, _: seen.append(step),
    )
    assert seen == [1, 2, 3]


def test_an_iterator_that_ends_early_is_refused() -> None:
    with pytest.raises(ValueError, match="ran out"):
        fit(
            nn.Linear(3, 1),
            iter(line()),
            squared,
            steps=9,
            learning_rate=0.01,
            weight_decay=0.0,
            seed=0,
        )


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    def broken(network: nn.Module, batch: Batch) -> Tensor:
        return squared(network, batch) * float("nan")

    with pytest.raises(ValueError, match="loss is nan at step 0"):
        fit(nn.Linear(3, 1), line(), broken, steps=2, learning_rate=0.01, weight_decay=0.0, seed=0)
