"""A network of a trial's own: a camera's namespace, a cable to it, and what goes wrong with cables.

The camera's side is a namespace of its own with `camera` (10.x.y.2); this side is `viewer`
(10.x.y.1) in the namespace of the test. Whatever happens inside the context, nothing stays.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from tests.needs import need_namespaces

_NUMBERS = itertools.count(secrets.randbelow(250))
"""No two networks of one process have the same addresses."""


class Network:
    """A camera's namespace at the other end of a cable.

    `prefix` starts a program on the camera's side. Rates and losses are those of the way from the
    camera to the viewer.
    """

    def __init__(self) -> None:
        need_namespaces()
        word = secrets.token_hex(3)
        self.name, self._near, self._far = f"wit-{word}", f"wn{word}", f"wf{word}"
        one, two = os.getpid() % 250, next(_NUMBERS) % 250
        self.viewer, self.camera = f"10.{one + 1}.{two}.1", f"10.{one + 1}.{two}.2"
        self.prefix = ["ip", "netns", "exec", self.name]

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # A namespace's end takes its half of the cable with it, and that the other half.
        for command in (["ip", "link", "del", self._near], ["ip", "netns", "del", self.name]):
            with contextlib.suppress(subprocess.CalledProcessError):
                _run(*command)

    def cable(self, *, plugged: bool) -> None:
        """Pulls the cable at the camera's side, or puts it back.

        At the viewer's side the route to the camera would go with it, and calls somewhere else.
        """
        self._inside("ip", "link", "set", self._far, "up" if plugged else "down")

    @contextmanager
    def unplugged(self) -> Iterator[None]:
        """No cable inside."""
        self.cable(plugged=False)
        try:
            yield
        finally:
            self.cable(plugged=True)

    @contextmanager
    def rate(self, bits_per_s: float, *, queue_ms: int = 400) -> Iterator[None]:
        """No more than this rate inside; what waits longer than `queue_ms` is dropped."""
        limit = ["rate", f"{round(bits_per_s)}bit", "burst", "4kb", "latency", f"{queue_ms}ms"]
        self._inside("tc", "qdisc", "add", "dev", self._far, "root", "tbf", *limit)
        try:
            yield
        finally:
            self._inside("tc", "qdisc", "del", "dev", self._far, "root")

    @contextmanager
    def loss(self, probability: float, protocol: str = "udp") -> Iterator[Loss]:
        """The counters of packets that are lost with this probability inside."""
        chance = ["-m", "statistic", "--mode", "random", "--probability", f"{probability:.4f}"]
        rule = ["INPUT", "-i", self._near, "-p", protocol]
        drop = [*rule, *chance, "-j", "DROP"]
        # The rules lie in the namespace of the test's own machine: only this cable is meant.
        _run("iptables", "-I", *rule)
        _run("iptables", "-I", *drop)
        counters = Loss(self._near)
        try:
            yield counters
        finally:
            counters.read()
            _run("iptables", "-D", *drop)
            _run("iptables", "-D", *rule)

    def _make(self) -> None:
        _run("ip", "netns", "add", self.name)
        cable = ["type", "veth", "peer", "name", self._far, "netns", self.name]
        _run("ip", "link", "add", self._near, *cable)
        _run("ip", "addr", "add", f"{self.viewer}/24", "dev", self._near)
        _run("ip", "link", "set", self._near, "up")
        self._inside("ip", "addr", "add", f"{self.camera}/24", "dev", self._far)
        self._inside("ip", "link", "set", self._far, "up")
        self._inside("ip", "link", "set", "lo", "up")

    def _inside(self, *command: str) -> None:
        _run(*self.prefix, *command)


class Loss:
    """What the rules of `Network.loss` counted: packets lost and packets that got through."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._counted = (0, 0)

    @property
    def lost(self) -> int:
        """Packets that were dropped."""
        return self._counted[0]

    @property
    def passed(self) -> int:
        """Packets that were not."""
        return self._counted[1]

    def read(self) -> tuple[int, int]:
        """(lost, passed) at this moment; kept when the rules are taken away."""
        listing = _run("iptables", "-nvxL", "INPUT")
        rules = [line for line in listing.splitlines() if f" {self._interface} " in line]
        counts = [int(re.match(r"\s*(\d+)", rule)[1]) for rule in rules]  # type: ignore[index]
        self._counted = (counts[0], counts[1])
        return self._counted


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout
