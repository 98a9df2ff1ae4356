"""Two processes learn what one learns: the same losses, the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.checkpoint import load
from models.training.clip_recipes import FRAMES
from models.training.errors import TrainingError
from models.training.extras import Extras
from models.training.joint import JointNorm
from models.training.loop import TrainingLog, fit
from models.training.own_clips import train_own_clips
from models.training.own_sounds import train_own_sounds
from models.training.parallel import BY_ROWS, Division, Team
from models.training.resume import RunFile
from models.training.settings import Settings, Workplace
from tests.models.training import teams, test_own_clips, test_own_sounds

pytestmark = pytest.mark.slow

Batch = tuple[Tensor, Tensor]
State = dict[str, Tensor]
Run = tuple[State, TrainingLog]


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[teams.Call]:
    with teams.team(tmp_path_factory.mktemp("team")) as made:
        yield made


def squared(network: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.mse_loss(network(batch[0]), batch[1])


def line_run(keep: Path | None = None, batches: int | None = None, rows: int = 5) -> Run:
    """Ten steps of a network with norms, masks and an unused layer; fewer when batches run out."""
    torch.manual_seed(Team.here().rank)  # the first process's network is everybody's
    network = teams.Odd()
    given = (teams.noisy_line(rows) * 2)[:batches]
    log = fit(
        network,
        iter(given),
        squared,
        steps=10,
        learning_rate=0.02,
        weight_decay=0.1,
        seed=1,
        ema=0.9,
        extras=Extras(every=3, keep=None if keep is None else RunFile(keep, "line")),
    )
    return network.state_dict(), log


def same(runs: list[Run], expected: Run) -> None:
    state, log = expected
    assert all(torch.equal(runs[0][0][name], runs[1][0][name]) for name in state)
    for mine, told in runs:
        assert told.losses == pytest.approx(log.losses, abs=1e-4)
        assert told.scores == log.scores
        for name, tensor in state.items():
            close = partial("{}: {}".format, name)
            torch.testing.assert_close(mine[name], tensor, atol=1e-4, rtol=1e-4, msg=close)


@pytest.mark.parametrize("rows", [5, 8])
def test_norms_masks_and_uneven_shares_change_nothing(call: teams.Call, rows: int) -> None:
    same(call(line_run, None, None, rows), line_run(rows=rows))


def interrupted(keep: Path) -> None:
    with pytest.raises(ValueError, match="ran out"):
        line_run(keep, batches=7)


@pytest.mark.parametrize(("before", "after"), [(2, 2), (1, 2), (2, 1)])
def test_a_run_goes_on_with_any_number_of_workers(
    call: teams.Call, tmp_path: Path, before: int, after: int
) -> None:
    keep = tmp_path / "run.safetensors"
    _ = call(interrupted, keep) if before == 2 else interrupted(keep)
    runs = call(line_run, keep) if after == 2 else [line_run(keep)] * 2
    same(runs, line_run())


def sounds_run(out: Path) -> Run:
    parts, recordings = test_own_sounds.made()
    recipe, place = test_own_sounds.TINY, Workplace(out / str(Team.here().rank))
    sounds = train_own_sounds(parts, recordings, recipe, recipe.settings, place, {}, "x")
    # The norm after the sum of the skips takes their biases away: only rounding moves those.
    moved = ("out.bias", "skips_norm.running_mean")
    state = load(sounds.path)[1]
    return {name: one for name, one in state.items() if not name.endswith(moved)}, sounds.log


def frames_run(out: Path) -> Run:
    parts, clips = test_own_clips.made()
    base = FRAMES["cnn-small"]
    settings = Settings(6, 5, 1e-2, ema=0.9, label_smoothing=0.1, check_every=3)
    recipe = replace(base, cnn=test_own_clips.TINY.cnn, settings=settings)
    place = Workplace(out / str(Team.here().rank))
    frames = train_own_clips(parts, clips, recipe, settings, place, {}, "x")
    return load(frames.path)[1], frames.log


@pytest.mark.parametrize("run", [sounds_run, frames_run])
def test_a_recipe_shared_by_two_is_that_of_one(
    call: teams.Call, tmp_path: Path, run: teams.Train
) -> None:
    same(call(run, tmp_path / "two"), run(tmp_path / "one"))


def means_of_parts() -> float:
    """A loss over rows that count differently: in one part almost none does."""
    rows = torch.tensor([0.0, 0.0, 1.0, 3.0])

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        return (network(batch[0])[:, 0] * batch[1]).sum() / batch[1].sum().clamp_min(1e-12)

    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    division: Division[Batch, Batch] = Division(weight=lambda batch: float(batch[1].sum()))
    found = Team.here().learn(network, (torch.arange(8.0).view(4, 2), rows), loss, division)
    assert network.weight.grad is not None
    return found + float(network.weight.grad.sum())


def test_parts_count_by_what_their_means_are_over(call: teams.Call) -> None:
    assert call(means_of_parts) == pytest.approx([means_of_parts()] * 2)


def normed() -> tuple[Tensor, Tensor, Tensor]:
    """This process's part of a batch through a norm, and the statistics and gradients after it."""
    team = Team.here()
    x = 10 + torch.randn(7, 3, 4, generator=torch.Generator().manual_seed(0))
    share = team.share(len(x))
    part = x[share.start : share.stop].requires_grad_()
    network = nn.Sequential(nn.BatchNorm1d(3, momentum=None))
    with team.joined(network):
        assert isinstance(network[0], JointNorm) is (team.size > 1)
        y = network(part)
        (y * torch.arange(7.0).view(7, 1, 1)[share.start : share.stop]).sum().backward()
    assert type(network[0]) is nn.BatchNorm1d
    assert part.grad is not None
    return y.detach(), part.grad, torch.cat((network[0].running_mean, network[0].running_var))


def test_a_joint_norm_is_that_of_the_whole_batch(call: teams.Call) -> None:
    first, second = call(normed)
    y, grad, statistics = normed()
    torch.testing.assert_close(torch.cat((first[0], second[0])), y, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.cat((first[1], second[1])), grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(first[2], statistics)
    assert torch.equal(first[2], second[2])


def apart() -> str:
    network = nn.Linear(2, 2)
    nn.init.constant_(network.weight, Team.here().rank)
    with pytest.raises(TrainingError) as raised:
        Team.here().check_agreement(network)
    return str(raised.value)


def test_workers_that_end_apart_are_found_out(call: teams.Call) -> None:
    assert all("different weights" in told for told in call(apart))


def too_small() -> str:
    with pytest.raises(TrainingError) as raised:
        Team.here().learn(nn.Linear(3, 1), teams.noisy_line(1)[0], squared, BY_ROWS)
    return str(raised.value)


def test_more_workers_than_examples_are_refused(call: teams.Call) -> None:
    assert call(too_small) == ["a batch of 1 is too small for 2 workers"] * 2


def test_a_process_alone_is_a_team_of_one() -> None:
    assert Team.here() == Team(0, 1)
    assert Team.here().from_first(lambda: 3) == 3
