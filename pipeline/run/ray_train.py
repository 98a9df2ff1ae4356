"""Training on several processes with Ray Train: they are started, joined, watched and ended.

What is trained is the business of `models.training`, which only ever sees `torch.distributed`.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

import ray

from pipeline.errors import ConfigError, WitnessError, WorkerLost
from pipeline.run.ray_cluster import brief, start_ray_for

R = TypeVar("R")
Tell = Callable[[str, int, float], None]
Told = tuple[str, int, float]

POLL_S = 0.2
STARTS = 2
"""How often Ray Train begins anew when its processes do not come up; by default for ever."""

INSTALL = "pip install 'witness-av[workers]'"


def train_parallel(workers: int, body: Callable[[Tell], R], tell: Tell) -> R:
    """What `body` returns in the first of so many processes; all of them run it, as one team.

    What it tells in the first process reaches `tell` here, in order. An error that `body` raises
    is raised here, a worker that dies is a WorkerLost, and Ctrl-C ends all of them. ConfigError
    when Ray Train lacks a package, LaneError when Ray cannot be started.
    """
    check_packages()
    if sys.platform == "linux" and not os.environ.get("RAY_ADDRESS"):
        # The workers talk to each other inside this machine alone.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    # Ray is gone before the folder is: its processes write there to the last.
    with tempfile.TemporaryDirectory(prefix="witness-train-") as folder:
        try:
            start_ray_for(workers + 1, "--workers 1")
            _check_room(workers)
            return cast("R", _Training(workers, body, tell, folder).result())
        finally:
            ray.shutdown()


def check_packages() -> None:
    """ConfigError when Ray Train lacks a package; it says what to install."""
    try:
        import ray.train.torch  # noqa: F401
    except ImportError as error:
        message = f"--workers: a package of Ray Train is missing ({brief(error)}): {INSTALL}"
        raise ConfigError(message) from error


def _check_room(workers: int) -> None:
    """ConfigError when the cluster can never hold so many workers: Ray would wait for ever."""
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if cpus < workers:
        message = f"--workers {workers}: the Ray cluster has {cpus} CPUs"
        raise ConfigError(message)


class Relay:
    """Carries what the first worker tells to the process that asked for the training."""

    def __init__(self) -> None:
        self._told: list[Told] = []

    def tell(self, told: list[Told]) -> None:
        """Takes numbers, in order."""
        self._told += told

    def take(self) -> list[Told]:
        """What was told since it was last asked."""
        told, self._told = self._told, []
        return told


@dataclass
class _Training:
    """One training: Ray Train runs in a thread, so that this one can listen and be interrupted."""

    workers: int
    body: Callable[[Tell], Any]
    tell: Tell
    folder: str
    _ended: threading.Event = field(default_factory=threading.Event)
    _value: Any = None
    _error: BaseException | None = None

    def result(self) -> Any:
        relay = ray.remote(Relay).options(num_cpus=0).remote()
        threading.Thread(target=self._run, args=(relay,), daemon=True).start()
        while not self._ended.wait(POLL_S):
            self._hear(relay)
        self._hear(relay)
        if self._error is not None:
            raise _translated(self._error) from self._error
        return self._value

    def _hear(self, relay: Any) -> None:
        for told in ray.get(relay.take.remote()):
            self.tell(*told)

    def _run(self, relay: Any) -> None:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        threads = max(1, (os.cpu_count() or 1) // self.workers)
        try:
            trainer = TorchTrainer(
                partial(_work, self.body, relay, threads),
                torch_config=TorchConfig(backend="gloo"),
                scaling_config=ScalingConfig(num_workers=self.workers),
                run_config=RunConfig(
                    storage_path=self.folder,
                    name="training",
                    failure_config=FailureConfig(controller_failure_limit=STARTS),
                ),
            )
            self._value = pickle.loads(trainer.fit().return_value)
        except BaseException as error:  # it is raised in the thread that waits
            self._error = error
        finally:
            self._ended.set()


def _work(body: Callable[[Tell], Any], relay: Any, threads: int) -> bytes | None:
    """Runs in every worker: what `body` returns in the first one, nothing in the others.

    Pickled, because Ray Train refuses to carry tensors.
    """
    import torch
    from ray.train import get_context

    torch.set_num_threads(threads)
    leads = get_context().get_world_rank() == 0

    def tell(name: str, step: int, value: float) -> None:
        if leads:
            relay.tell.remote([(name, step, value)])

    result = body(tell)
    if not leads:
        return None
    ray.get(relay.tell.remote([]))  # all that was told before has arrived
    return pickle.dumps(result)


def _translated(error: BaseException) -> BaseException:
    """The error of the body where it raised one, or what became of the worker."""
    from models.training.errors import TrainingError

    failures = list(getattr(error, "worker_failures", {}).values()) or [error]
    for failure in failures:
        if isinstance(failure, TrainingError | WitnessError):
            return cast("BaseException", failure)
    for failure in failures:
        if type(failure).__module__.split(".")[0] == "ray":
            return WorkerLost(f"a worker of the training was lost: {brief(failure)}")
    # When one worker fails, the connections of the others break.
    causes = [one for one in failures if not isinstance(one, RuntimeError)]
    return cast("BaseException", (causes or failures)[0])
