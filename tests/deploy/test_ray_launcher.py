"""deploy/ray: Ray itself reads its launcher's file, and the firewall is tried with real calls."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.measure.access import PORT
from tests.deploy.images import ROOT
from tests.live.netns import Network

pytestmark = [pytest.mark.ray]

HERE = ROOT / "deploy" / "ray"
FILE: dict[str, Any] = yaml.safe_load((HERE / "cluster.yaml").read_text())
STARTS = [FILE["head_start_ray_commands"][-1], FILE["worker_start_ray_commands"][-1]]
RAYS_OWN, SSH = 26379, 22
LISTEN = """
import socket, sys
lines = [socket.create_server(("0.0.0.0", int(port)), backlog=16) for port in sys.argv[1:]]
print("listening", flush=True)
sys.stdin.read()
"""


def test_ray_accepts_the_file_of_its_launcher() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(FILE)
    validate_config(prepared)
    [node] = prepared["available_node_types"].values()
    workers = len(FILE["provider"]["worker_ips"])
    assert (node["min_workers"], node["max_workers"]) == (workers, workers)


def test_ray_knows_the_options_that_it_is_started_with() -> None:
    from ray.scripts.scripts import start

    known = {name for option in start.params for name in option.opts}
    for command in STARTS:
        words = [word for word in command.split() if word.startswith("--")]
        assert {word.partition("=")[0] for word in words} <= known


def test_every_node_shows_a_token_that_no_file_here_has() -> None:
    for command in STARTS:
        assert "RAY_AUTH_MODE=token" in command
        assert "RAY_AUTH_TOKEN_PATH=$HOME/.ray/auth_token" in command
        assert "RAY_AUTH_TOKEN=" not in command
    [remote] = FILE["file_mounts"]
    assert remote == "~/.ray/auth_token"
    assert "--dashboard-host=127.0.0.1" in STARTS[0]


@contextmanager
def listening(network: Network) -> Iterator[None]:
    """Ports of the other side that answer: Ray's, the page's and SSH's."""
    ports = [str(port) for port in (RAYS_OWN, PORT, SSH)]
    command = [*network.prefix, sys.executable, "-c", LISTEN, *ports]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        try:
            yield
        finally:
            process.kill()


def reached(network: Network) -> set[int]:
    """The ports that take a call from here."""
    found = set()
    for port in (RAYS_OWN, PORT, SSH):
        try:
            socket.create_connection((network.camera, port), timeout=0.5).close()
        except TimeoutError:
            continue
        found.add(port)
    return found


def shut(network: Network, **settings: str) -> None:
    command = [*network.prefix, str(HERE / "firewall")]
    subprocess.run(command, env={**os.environ, **settings}, check=True, timeout=30)


@pytest.mark.slow
def test_the_firewall_lets_in_the_cluster_and_nobody_else() -> None:
    with Network() as network, listening(network):
        assert reached(network) == {RAYS_OWN, PORT, SSH}
        shut(network, CLUSTER="203.0.113.7 203.0.113.8")
        assert reached(network) == {SSH}
        shut(network, CLUSTER="203.0.113.7", MONITORING=network.viewer)
        assert reached(network) == {PORT, SSH}
        shut(network, CLUSTER=f"203.0.113.7 {network.viewer}/32")
        assert reached(network) == {RAYS_OWN, PORT, SSH}


def test_the_firewall_asks_for_the_cluster() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CLUSTER"}
    asked = subprocess.run(
        [str(HERE / "firewall")], env=environment, capture_output=True, text=True, check=False
    )
    assert asked.returncode != 0
    assert "name the addresses of the cluster" in asked.stderr


def test_the_page_names_the_firewall_and_the_files() -> None:
    told = (Path(ROOT) / "docs" / "deploy.md").read_text()
    assert "deploy/ray/firewall" in told
    assert "deploy/ray/cluster.yaml" in told
