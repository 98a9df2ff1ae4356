"""Trainings on two processes of an embedded Ray.

Ray is imported inside functions, so that this file can be collected where it is not installed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.training.errors import TrainingError
from pipeline.commands.own_report import BoardWriter
from pipeline.errors import WorkerLost
from tests import own_data
from tests.pipeline.commands.test_own_sounds import call

# Ray sets its own deprecated settings when it starts.
OF_RAY = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.")
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.alone, OF_RAY]


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture(scope="module")
def one_ray() -> Iterator[None]:
    """An embedded Ray, as `train_parallel` starts it."""
    import ray

    from pipeline.run.ray_cluster import start_ray_for

    start_ray_for(3, "--workers 1")
    yield
    ray.shutdown()


def test_two_workers_learn_what_one_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own_data.sounds(tmp_path / "yard")
    small = ["--recipe", "wavenet-small", "--batch", "7", "--check-every", "4", "--steps", "6"]
    losses: dict[str, list[float]] = {"1": [], "2": []}

    def train(workers: str) -> dict[str, Any]:
        def noted(board: BoardWriter, name: str, step: int, value: float) -> None:
            if name == "loss":
                losses[workers].append(value)

        monkeypatch.setattr(BoardWriter, "__call__", noted)
        out = tmp_path / workers
        options = [*small, "--tensorboard", "--workers", workers]
        result = call("train", "sound", folder, "--out", out, *options)
        assert result.exit_code == 0, result.output
        assert not (out / "run.safetensors").exists()
        told: dict[str, Any] = json.loads((out / "yard.json").read_text(encoding="utf-8"))
        return told

    two, one = train("2"), train("1")
    assert len(losses["2"]) == 6
    assert losses["2"] == pytest.approx(losses["1"], abs=1e-4)
    assert two["training"]["steps_done"] == one["training"]["steps_done"] == 6
    assert two["training"]["final_loss"] == pytest.approx(one["training"]["final_loss"], abs=2e-4)


def run(body: Callable[..., Any], tell: Callable[..., None], folder: Path, workers: int = 2) -> Any:
    from pipeline.run.ray_train import _Training

    return _Training(workers, body, tell, str(folder)).result()


def test_a_worker_that_dies_ends_the_training(one_ray: None, tmp_path: Path) -> None:
    def body(tell: Callable[..., None]) -> None:
        import torch.distributed as dist

        tell("loss", 1, 0.5)
        dist.barrier()
        if dist.get_rank() == 1:
            os._exit(1)
        dist.barrier()

    heard: list[tuple[str, int, float]] = []
    with pytest.raises(WorkerLost, match="a worker of the training was lost"):
        run(body, lambda *told: heard.append(told), tmp_path)
    assert heard == [("loss", 1, 0.5)]


@pytest.mark.parametrize("first", [TrainingError("the loss is nan"), KeyError("a mistake")])
def test_the_error_of_the_training_counts_not_what_came_of_it(first: Exception) -> None:
    from ray.train import WorkerGroupError

    from pipeline.run.ray_train import _translated

    broken = RuntimeError("Connection closed by peer")
    assert _translated(WorkerGroupError("lost", {0: broken, 1: first})) is first
    assert _translated(WorkerGroupError("lost", {0: broken})) is broken


def test_what_is_told_may_interrupt(one_ray: None, tmp_path: Path) -> None:
    def body(tell: Callable[..., None]) -> None:
        tell("loss", 1, 0.5)

    def interrupt(*told: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(body, interrupt, tmp_path, workers=1)
