"""Pages of the nodes of a Ray cluster: each tells what only that machine can know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.measure.access import Access, is_any, is_loopback
from pipeline.measure.node import NodeFigures
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from pipeline.run.ray_cluster import brief

LOOK_S = 5.0
HUNG_S = 30.0
AGAIN_S = 10.0
"""A page that died or could not begin is begun again after so long."""
FETCH_S, END_S = 2.0, 2.0
Roles = Mapping[int, str]


class NodeHost:
    """What runs on a node: its figures, and the page that tells them."""

    def __init__(self, port: int, access: Access) -> None:
        self._roles: Roles = {}
        metrics = Metrics()
        with ExitStack() as begun:
            self._page = begun.enter_context(MetricsPage(metrics, port, access))
            begun.enter_context(NodeFigures(metrics, lambda: self._roles, mine="other"))
            self._begun = begun.pop_all()  # they end with the process

    def look(self, roles: Roles) -> str | None:
        """Where the page is; takes which processes there are on this node, and their roles."""
        self._roles = roles
        return self._page.address


@dataclass(slots=True)
class _Page:
    """The page of a node: its actor, the question it was asked last and when, and where it is."""

    actor: Any
    asked: Any
    asked_at: float
    address: str | None = None


class RayNodes:
    """While the block runs, every living node but this one has a page; `changed` hears where.

    Nodes come and go, and a page that dies begins anew. `roles` gives the processes of witness by
    node. Pages listen as `access` says, at the node's own address where it names one of this
    machine; where it is for this machine alone, other machines have none. What goes wrong `tell`
    hears once.
    """

    def __init__(
        self,
        roles: Callable[[], Mapping[str, Roles]],
        port: int,
        access: Access,
        changed: Callable[[Sequence[str]], None],
        tell: Callable[[str], None],
    ) -> None:
        self._roles = roles
        self._port = port
        self._access = access
        self._changed = changed
        self._tell = tell
        self._here = ray.get_runtime_context().get_node_id()
        self._pages: dict[str, _Page] = {}
        self._due: dict[str, float] = {}
        self._told: set[str] = set()
        self._addresses: list[str] = []
        self._over = Event()
        self._thread = Thread(target=self._look_on, name="node pages", daemon=True)

    def __enter__(self) -> RayNodes:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join(END_S)
        for page in self._pages.values():
            _end(page)

    def look(self) -> None:
        """Begins and ends pages as nodes came and went, and tells where they are, if that is new.

        Waits for nobody.
        """
        alive = {
            str(node["NodeID"]): str(node["NodeManagerAddress"])
            for node in ray.nodes()
            if node["Alive"]
        }
        for node in set(self._pages).difference(alive):
            _end(self._pages.pop(node))
        roles = self._roles()
        for node, host in alive.items():
            access = self._access_at(host, alive.get(self._here))
            if node == self._here:
                continue
            if access is None:
                self._say(node, f"{host} has no page: the `host` of metrics is this machine's own")
            elif node in self._pages:
                self._ask(node, host, roles.get(node, {}))
            elif time.monotonic() >= self._due.get(node, 0.0):
                self._pages[node] = self._begin(node, access, roles.get(node, {}))
        addresses = sorted(page.address for page in self._pages.values() if page.address)
        if addresses != self._addresses:
            self._addresses = addresses
            self._changed(addresses)

    def _access_at(self, host: str, here: str | None) -> Access | None:
        """How the page of a node is reached; None when it could not be."""
        named = self._access.host
        if is_any(named) or (is_loopback(named) and host == here):
            return self._access
        return None if is_loopback(named) else replace(self._access, host=host)

    def _begin(self, node: str, access: Access, roles: Roles) -> _Page:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        options = {"num_cpus": 0, "max_restarts": 0, "scheduling_strategy": there}
        actor = ray.remote(NodeHost).options(**options).remote(self._port, access)
        return _Page(actor, actor.look.remote(roles), time.monotonic())

    def _ask(self, node: str, host: str, roles: Roles) -> None:
        page, now = self._pages[node], time.monotonic()
        ready, _ = ray.wait([page.asked], timeout=0)
        problem = "" if ready or now - page.asked_at < HUNG_S else f"no answer for {HUNG_S:g} s"
        if ready:
            try:
                page.address = ray.get(page.asked, timeout=FETCH_S)
            except RayError as error:
                problem = brief(error)
            else:
                page.asked, page.asked_at = page.actor.look.remote(roles), now
                self._told.discard(node)
        if problem:
            _end(self._pages.pop(node))
            self._due[node] = now + AGAIN_S
            self._say(node, f"the page of {host} is away, and begins anew: {problem}")

    def _say(self, about: str, line: str) -> None:
        """Tells it, unless something was told about the same and it has not been well since."""
        if about not in self._told:
            self._told.add(about)
            self._tell(f"metrics: {line}")

    def _look_on(self) -> None:
        while True:
            try:
                self.look()
            except Exception as error:  # the cluster's head may be away: streams go on meanwhile
                self._say("nodes", f"the nodes cannot be looked at: {brief(error)}")
            if self._over.wait(LOOK_S):
                return


def _end(page: _Page) -> None:
    with suppress(RayError):
        ray.kill(page.actor)
