"""Every node of a cluster has its page, as nodes and pages come and go."""

from __future__ import annotations

import re
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any

import pytest

from pipeline.measure.access import Access
from tests.clusters import three_nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WITHIN_S = 90.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Three nodes on this machine, the first one the driver's."""
    import ray

    with three_nodes(monkeypatch, cpus=2) as made:
        try:
            ray.init(made.address, log_to_driver=False, logging_level="ERROR")
            yield made
        finally:
            ray.shutdown()


def page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return str(answer.read(), "utf-8")


def processes(address: str, role: str) -> int:
    found = re.search(rf'^witness_processes{{role="{role}"}} (\d+)', page(address), re.MULTILINE)
    return int(found[1]) if found else 0


def answers(address: str) -> bool:
    with suppress(OSError):
        return bool(page(address))
    return False


def until(there: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not there():
        assert time.monotonic() - began < WITHIN_S
        Event().wait(0.1)


def test_pages_come_and_go_with_their_nodes(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from pipeline.run import ray_nodes
    from pipeline.run.ray_crew import RayCrew

    monkeypatch.setattr(ray_nodes, "LOOK_S", 0.3)
    monkeypatch.setattr(ray_nodes, "AGAIN_S", 0.3)
    told: list[list[str]] = []
    said: list[str] = []

    def changed(addresses: Sequence[str]) -> None:
        told.append([*addresses])

    with RayCrew() as crew:
        workers = [crew.start("member", f"pool-{number}", partial(deque, [1])) for number in (1, 2)]
        for worker in workers:
            assert crew.wait(crew.call(worker, "count", 1), WITHIN_S)
        with ray_nodes.RayNodes(crew.places, 0, Access(), changed, said.append) as nodes:
            until(lambda: bool(told) and len(told[-1]) == 2)
            first, second = told[-1]
            here = ray.get_runtime_context().get_node_id()
            places = crew.places()
            assert sum(len(pids) for pids in places.values()) == 2
            elsewhere = sum(len(pids) for node, pids in places.items() if node != here)
            assert elsewhere >= 1
            until(lambda: processes(first, "member") + processes(second, "member") == elsewhere)
            assert processes(first, "other") == 1
            assert "witness_stream_up{" not in page(first)

            [lost] = [node for node, one in nodes._pages.items() if one.address == first]
            ray.kill(nodes._pages[lost].actor)
            until(lambda: len(told[-1]) == 2 and first not in told[-1])
            assert [second] in told
            [line] = said
            assert "begins anew" in line

            [gone] = [node for node in cluster.list_all_nodes() if node.node_id == lost]
            cluster.remove_node(gone, allow_graceful=False)
            until(lambda: told[-1] == [second])
            assert answers(second)
        until(lambda: not answers(second))
