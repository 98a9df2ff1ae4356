"""Everything that goes wrong with a camera in turn, a step at a time, while others are watched."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from tests.live.proxy import Faults, Proxy
from tests.live.servers import RtspServer

NAMES = ("killed", "stopped", "cut", "stalled", "flipped", "slow", "refused")


class Unlucky:
    """A camera behind a wire: `hurt` begins the next fault, `heal` ends it.

    `seed` settles the order. Use it as a context manager.
    """

    def __init__(self, server: RtspServer, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.hurts: list[tuple[float, str]] = []
        self._proxy: Proxy | None = None
        self._undo: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        self._exit = ExitStack()
        self._exit.enter_context(self.server)
        self._proxy = self._exit.enter_context(Proxy("127.0.0.1", self.server.port))
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        self._exit.close()

    def url(self, mount: str) -> str:
        """The address of a mount, through the wire."""
        return f"rtsp://127.0.0.1:{self.proxy.port}{mount}"

    @property
    def proxy(self) -> Proxy:
        """The wire."""
        assert self._proxy is not None
        return self._proxy

    def hurt(self, name: str = "") -> str:
        """Begins a fault, by name or by chance; what it is."""
        self.heal()
        name = name or self.chance.choice(NAMES)
        self.hurts.append((time.time(), name))
        faults = {
            "stalled": Faults(stalled=True),
            "flipped": Faults(flip=0.05),
            "slow": Faults(rate=40_000),
            "refused": Faults(refuse=True),
        }
        if name == "killed":
            self.server.kill()
            self._undo = self.server.start
        elif name == "stopped":
            self.server.stop()
            self._undo = self.server.cont
        elif name == "cut":
            self.proxy.cut()
        else:
            self.proxy.faults = faults[name]
            if name == "refused":
                self.proxy.cut()
            self._undo = self._mend
        return name

    def heal(self) -> None:
        """Ends the fault."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def _mend(self) -> None:
        self.proxy.faults = Faults()
