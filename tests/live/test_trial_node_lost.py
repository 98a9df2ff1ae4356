"""A node of three is lost with all that ran there: its streams go on elsewhere, each read once."""

from __future__ import annotations

import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.media.address import LiveAddress
from tests.clusters import three_nodes
from tests.live.conftest import Footage
from tests.live.courses import after
from tests.live.watching import Watching, report

pytestmark = [pytest.mark.ray, pytest.mark.slow]

STREAMS = ("yard", "gate", "door", "hall")
ELSEWHERE_WITHIN_S = 25.0
LOOP_WITHIN_S = 1.5


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes on this machine, the first one the driver's."""
    import ray

    with three_nodes(monkeypatch, cpus=3) as made:
        try:
            ray.init(made.address, log_to_driver=False, logging_level="ERROR")
            yield made
        finally:
            ray.shutdown()


@dataclass
class Lookout:
    """Sees which processes read which stream's file, each time it is asked to look."""

    films: dict[str, str]
    readers: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    most: int = 0
    slowest_s: float = 0.0

    def look(self) -> None:
        """Takes note of who reads what now."""
        now: dict[str, set[int]] = defaultdict(set)
        for process in psutil.process_iter(["name", "status"]):
            if process.info["status"] != psutil.STATUS_STOPPED and "ray" in process.info["name"]:
                with suppress(psutil.Error):
                    for file in process.open_files():
                        if file.path in self.films:
                            now[self.films[file.path]].add(process.pid)
        self.most = max(self.most, *(len(pids) for pids in now.values()), 0)
        self.readers = now

    def until(self, watching: Watching, there: Callable[[], bool], within_s: float) -> float:
        """Lets it work, and looks, until `there`; how long that took."""
        began = time.monotonic()
        while not there():
            assert time.monotonic() - began < within_s, watching.told[-8:]
            before = time.monotonic()
            watching.supervisor.tick()
            self.slowest_s = max(self.slowest_s, time.monotonic() - before)
            self.look()
        return time.monotonic() - began


def test_streams_of_a_lost_node_go_on_elsewhere(
    tmp_path: Path, street: Footage, cluster: Any
) -> None:
    from pipeline.run.ray_crew import RayCrew

    films = {}
    for name in STREAMS:
        film = shutil.copy(street.path, tmp_path / f"{name}{street.path.suffix}")
        films[str(film)] = name
    lookout = Lookout(films)
    with RayCrew() as crew, Watching(tmp_path / "out", crew=crew) as watching:
        for film, name in films.items():
            watching.add(name, LiveAddress("file", film, realtime=True, loop=True))
        lookout.until(watching, watching.plays(*STREAMS), 60)
        time_there = lookout.until(watching, after(2), 10)
        assert time_there >= 2
        node, there = node_to_lose(cluster, crew)
        lost = {name for role, name in there if role == "reader"}
        processes = processes_of(node)
        assert lost, "no reader was there"
        for process in processes:
            process.send_signal(signal.SIGKILL)
        gone = {worker.pid for worker in processes}

        def elsewhere() -> bool:
            living = {name: pids - gone for name, pids in lookout.readers.items()}
            return watching.plays(*STREAMS)() and all(living.get(name) for name in STREAMS)

        back_s = lookout.until(watching, elsewhere, ELSEWHERE_WITHIN_S)
        lookout.until(watching, after(3), 10)
        watching.end()
    figures = {
        "back_s": round(back_s, 2),
        "there": sorted(" ".join(one) for one in there),
        "readers_of_one_stream_most": lookout.most,
        "loop_slowest_s": round(lookout.slowest_s, 2),
    }
    report("node_lost", figures)
    for name in STREAMS:
        left = watching.of(name)
        assert left.ledger["closed"], left.ledger
        assert all(a.end_s <= b.start_s for a, b in pairwise(left.numbers))
        assert bool(left.gaps()) == (name in lost), name
    assert lookout.most == 1, figures
    assert lookout.slowest_s < LOOP_WITHIN_S, figures


def node_to_lose(cluster: Any, crew: Any) -> tuple[Any, set[tuple[str, str]]]:
    """The node, not the driver's, with the most readers, and who is there by role and name."""
    import ray

    where = defaultdict(set)
    for worker in crew.workers:
        if ray.wait([worker.whereabouts], timeout=0)[0]:
            where[ray.get(worker.whereabouts)[0]].add((worker.role, worker.name))
    others = sorted(
        cluster.worker_nodes,
        key=lambda node: sum(role == "reader" for role, _ in where[node.node_id]),
    )
    node = others[-1]
    return node, where[node.node_id]


def processes_of(node: Any) -> list[psutil.Process]:
    """All processes of a node."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    return [*raylet.children(recursive=True), raylet]
