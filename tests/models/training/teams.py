"""Two real processes that train as a team, and trainings small enough for them."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

SIZE = 2
Call = Callable[..., list[Any]]
Train = Callable[[Path], Any]


@contextmanager
def team(folder: Path) -> Iterator[Call]:
    """Calls a function in both processes of a team: what it returns in each, by rank.

    The function belongs to a module and ends only when its process has talked to the other one.
    """
    spawn = multiprocessing.get_context("spawn")
    arguments = (spawn.Value("i", 0), f"file://{folder / 'store'}")
    with ProcessPoolExecutor(SIZE, spawn, _join, arguments) as pool:

        def call(function: Callable[..., Any], *given: Any) -> list[Any]:
            asked = [pool.submit(_together, function, *given) for _ in range(SIZE)]
            return [answer for _, answer in sorted((one.result() for one in asked), key=_rank)]

        yield call
        call(_leave)


def _rank(answer: tuple[int, Any]) -> int:
    return answer[0]


def _join(counter: Any, store: str) -> None:
    import os

    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    with counter.get_lock():
        rank = counter.value
        counter.value += 1
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=SIZE)


def _together(function: Callable[..., Any], *given: Any) -> tuple[int, Any]:
    rank = dist.get_rank()
    dist.barrier()  # each process takes one of the two calls
    return rank, function(*given)


def _leave() -> None:
    dist.destroy_process_group()


def noisy_line(rows: int = 5) -> list[tuple[Tensor, Tensor]]:
    """Batches of (x, y) with y a line through x."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, rows, 3, generator=generator)
    return [(part, part @ torch.tensor([[1.0], [-2.0], [0.5]])) for part in x]


class Odd(nn.Module):
    """Norms, masks, and a layer that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(3, 8, bias=False)  # a norm takes it away again
        self.norm = nn.BatchNorm1d(8)
        self.mask = nn.Dropout(0.3)
        self.unused = nn.Linear(2, 2)
        self.leave = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.leave(self.mask(self.norm(self.enter(x)).relu()))
        return out
