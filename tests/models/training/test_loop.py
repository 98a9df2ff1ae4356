from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.training.errors import TrainingError
from models.training.extras import SCHEDULES, Extras, one_cycle
from models.training.loop import TrainingLog, fit
from models.training.resume import RunFile

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


def noisy_run(extras: Extras, stop_after: int | None = None) -> tuple[Tensor, TrainingLog]:
    """A run whose loss draws random numbers; `stop_after` steps it is killed."""

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        return squared(network, (batch[0] + 0.1 * torch.randn_like(batch[0]), batch[1]))

    def killed(step: int, loss: float) -> None:
        if step == stop_after:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    log = fit(
        network,
        line(),
        loss,
        steps=40,
        learning_rate=0.05,
        weight_decay=0.01,
        seed=5,
        ema=0.9,
        on_step=killed,
        extras=extras,
    )
    return network.weight.detach(), log


def by_weight(network: nn.Module) -> float:
    assert isinstance(network, nn.Linear) and not network.training
    return float(network.weight[0, 0].detach())


def test_a_killed_run_goes_on_with_the_same_curve(tmp_path: Path) -> None:
    whole, log = noisy_run(Extras(score=by_weight, every=6))
    keep = RunFile(tmp_path / "run.safetensors", "a")
    kept = Extras(score=by_weight, every=6, keep=keep)
    with pytest.raises(KeyboardInterrupt):
        noisy_run(kept, stop_after=21)
    resumed, again = noisy_run(kept)
    assert (again.losses, again.scores) == (log.losses, log.scores)
    assert torch.equal(resumed, whole)
    keep.remove()
    assert not keep.path.exists()


def test_extras_change_nothing_of_the_curve() -> None:
    plain, log = noisy_run(Extras())
    assert noisy_run(Extras(score=lambda _: 0.0, every=7))[1].losses == log.losses
    seen: list[tuple[str, int, float]] = []
    watched, _ = noisy_run(Extras(watch=lambda *what: seen.append(what)))
    assert torch.equal(watched, plain)
    losses = tuple(value for name, _, value in seen if name == "loss")
    assert losses == log.losses
    assert [step for name, step, _ in seen if name == "loss"] == list(range(1, 41))


def test_batches_that_can_begin_anywhere_are_not_made_for_nothing(tmp_path: Path) -> None:
    asked: list[int] = []

    class Anywhere:
        def from_step(self, step: int) -> Iterator[Batch]:
            asked.append(step)
            while True:
                yield from line()

    extras = Extras(every=4, keep=RunFile(tmp_path / "run.safetensors", "a"))
    for steps in (8, 12):
        fit(
            nn.Linear(3, 1),
            Anywhere(),
            squared,
            steps=steps,
            learning_rate=0.01,
            weight_decay=0.0,
            seed=0,
            extras=extras,
        )
    assert asked == [0, 8]


def test_a_run_without_progress_ends_early_with_its_best_weights() -> None:
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    seen: list[Tensor] = []

    def score(network: nn.Module) -> float:
        seen.append(next(network.parameters()).detach().clone())
        return next(scores)

    weight, log = noisy_run(Extras(score=score, every=5, patience=3))
    assert log.scores == ((5, 0.1), (10, 0.5), (15, 0.4), (20, 0.5), (25, 0.3))
    assert log.steps == len(log.losses) == 25
    assert torch.equal(weight, seen[3])  # the later of two equal ones


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_every_schedule_stays_between_nothing_and_all(name: str) -> None:
    shares = [SCHEDULES[name](step, 50) for step in range(51)]
    assert max(shares) == pytest.approx(1.0)
    assert all(0 <= share <= 1 for share in shares)
    assert shares[-1] == pytest.approx({"constant": 1.0, "step": 0.01}.get(name, 0.0), abs=1e-9)


def test_the_step_schedule_warms_up_and_falls_twice() -> None:
    shares = [SCHEDULES["step"](step, 90) for step in range(90)]
    assert shares[:9] == [pytest.approx((step + 1) / 9) for step in range(9)]
    assert shares[9:60] == [1.0] * 51
    assert shares[60:80] == [pytest.approx(0.1)] * 20
    assert shares[80:] == [pytest.approx(0.01)] * 10


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"schedule": "steep"}, "no schedule is called 'steep'; there are one_cycle"),
        ({"patience": 3}, "patience needs a score"),
        ({"every": 0}, "at least 1 step"),
    ],
)
def test_extras_that_cannot_be_are_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(TrainingError, match=why):
        Extras(**options)  # type: ignore[arg-type]
