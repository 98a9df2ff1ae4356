"""Nodes of a cluster are lost with all that ran there: the job comes to the same bytes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.batch.driving import ENDS_WITHIN_S, Order, check_whole, wait_for
from tests.clusters import three_nodes
from tests.live.watching import FULL, report
from tests.pipeline.batch.jobs import tree

pytestmark = [pytest.mark.ray, pytest.mark.slow]

LOSSES = 5 if FULL else 1
EVERY_S = 30.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes on this machine."""
    with three_nodes(monkeypatch, cpus=2) as made:
        yield made


def lose(node: Any) -> None:
    """Kills every process of a node."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    for process in [*raylet.children(recursive=True), raylet]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)


def busiest(cluster: Any) -> Any:
    """The node, not the driver's, whose processes have used the most time."""

    def used(node: Any) -> float:
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        total = 0.0
        for child in raylet.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                total += child.cpu_times().user
        return total

    return max(cluster.worker_nodes, key=used)


def test_a_job_survives_the_loss_of_nodes(
    videos: Path, config: Path, tmp_path: Path, cluster: Any
) -> None:
    cut = ("--segment-s", "3")
    code, said = Order(videos, config, cut).run(tmp_path / "whole")
    assert code == 3, said
    whole = tree(tmp_path / "whole")
    order = Order(videos, config, cut, engine="ray")
    lost, finished, jobs = 0, [], 0
    while lost < LOSSES:
        results = tmp_path / f"results{jobs}"
        jobs += 1
        with order.running(results, RAY_ADDRESS=cluster.address) as process:
            wait_for(lambda at=results: check_whole(at) > 0, process)
            while process.poll() is None and lost < LOSSES:
                finished.append(check_whole(results))
                node = busiest(cluster)
                lose(node)
                lost += 1
                cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(num_cpus=2)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(EVERY_S)
            said, _ = process.communicate(timeout=ENDS_WITHIN_S)
        assert process.returncode == 3, said
        assert "Traceback" not in said
        assert tree(results) == whole
    report("batch_node_lost", {"losses": lost, "jobs": jobs, "finished_at_loss": finished})
