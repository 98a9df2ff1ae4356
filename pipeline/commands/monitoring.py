"""What lets others look at a job while it runs: its page, and where the pages are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.measure.node import NodeFigures
from pipeline.measure.page import MetricsPage
from pipeline.measure.targets import FILE, Target, TargetsFile

if TYPE_CHECKING:
    from pipeline.commands.request import RunRequest
    from pipeline.config.access import MetricsConfig
    from pipeline.measure.access import Access
    from pipeline.measure.values import Metrics
    from pipeline.run.crew import Crew


@contextmanager
def job_page(
    metrics: Metrics,
    said: int | None,
    config: MetricsConfig,
    out: Path | None,
    tell: Callable[[str], None],
) -> Iterator[None]:
    """While the block runs, a job has a page, and is a target of the file that the config names.

    `said` is the port of the command line, which goes before the config's. ConfigError when the
    page cannot be served as it was asked for.
    """
    port, moves = _port(said, config)
    access = config.build()
    with ExitStack() as begun:
        page = begun.enter_context(MetricsPage(metrics, port, access, moves=moves))
        begun.enter_context(NodeFigures(metrics, out=out))
        if page.address is not None:
            _tell_of(page, access, tell)
            if config.targets:
                targets = begun.enter_context(TargetsFile(Path(config.targets), tell))
                targets.want([Target(page.address, "driver", access.scheme)])
        yield


def _port(said: int | None, config: MetricsConfig) -> tuple[int | None, bool]:
    """The port, None for no page, and whether another one will do where it is taken."""
    port = config.port if said is None else said
    moves = said is None and "port" not in config.model_fields_set
    return port if port >= 0 else None, moves


def _tell_of(page: MetricsPage, access: Access, tell: Callable[[str], None]) -> None:
    tell(f"metrics at {page.url}")
    if worry := access.worry():
        tell(f"metrics: {worry}")


@contextmanager
def fleet_pages(
    request: RunRequest,
    config: MetricsConfig,
    metrics: Metrics,
    crew: Crew,
    tell: Callable[[str], None],
    silent_s: Callable[[], float],
) -> Iterator[None]:
    """While the block runs, streams have a page, and the nodes of a cluster theirs.

    The port of the command line goes before the config's. ConfigError when the page cannot be
    served as it was asked for.
    """
    port, moves = _port(request.metrics_port, config)
    access = config.build()
    with ExitStack() as begun:
        page = begun.enter_context(
            MetricsPage(metrics, port, access, moves=moves, silent_s=silent_s)
        )
        begun.enter_context(NodeFigures(metrics, crew.pids, out=request.out))
        if page.address is not None and port is not None:
            _tell_of(page, access, tell)
            path = Path(config.targets) if config.targets else request.out / FILE
            targets = begun.enter_context(TargetsFile(path, tell))
            driver = Target(page.address, "driver", access.scheme)
            targets.want([driver])

            def want(nodes: Sequence[str]) -> None:
                pages = [Target(address, "node", access.scheme) for address in nodes]
                targets.want([driver, *pages])

            if request.engine == "ray" and os.environ.get("RAY_ADDRESS"):
                _node_pages(begun, crew, port, config, want, tell)
        yield


def _node_pages(
    begun: ExitStack,
    crew: Crew,
    port: int,
    config: MetricsConfig,
    want: Callable[[Sequence[str]], None],
    tell: Callable[[str], None],
) -> None:
    """Pages for the other nodes of a cluster."""
    from pipeline.run.ray_crew import RayCrew
    from pipeline.run.ray_nodes import RayNodes

    assert isinstance(crew, RayCrew)
    begun.enter_context(RayNodes(crew.places, port, config.build(), want, tell))
