"""Cameras that take a call and then say nothing more: they cannot keep a stream from ending."""

import threading
from pathlib import Path

import psutil
import pytest

from pipeline.run.local_crew import LocalCrew
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.outages import check_outages
from tests.live.proxy import Faults, Proxy
from tests.live.servers import RtspServer
from tests.live.watching import Watching, report

pytestmark = pytest.mark.slow

ENDED_WITHIN_S = 3.0
SILENCES = {
    "connect": Faults(stall_at_connect=True),
    "describe": Faults(stall_after="DESCRIBE"),
    "play": Faults(stall_after="PLAY"),
    "midstream": Faults(),
}


def test_a_stream_whose_camera_is_half_open_ends_when_told_to(
    tmp_path: Path, street: Footage
) -> None:
    took: dict[str, float] = {}
    with (
        RtspServer({"/street": {"feed": street.feed}}) as server,
        Watching(tmp_path) as watching,
    ):
        watching.add("healthy", server.url("/street"))
        watching.until(watching.plays("healthy"))
        watching.run_for(1.0)
        threads, processes = threading.active_count(), len(psutil.Process().children())
        for where, faults in SILENCES.items():
            proxy = Proxy(server.address, server.port)
            proxy.faults = faults
            with proxy:
                watching.add(where, f"rtsp://127.0.0.1:{proxy.port}/street")
                _until_silent(watching, where, proxy)
                took[where] = _dropped(watching, where)
        assert threading.active_count() <= threads
        assert len(psutil.Process().children()) == processes
        watching.end()
    for where in SILENCES:
        assert watching.of(where).ledger["closed"], where
    clock = Clock(street.clip, server.epoch)
    figures = check_outages(watching.of("healthy", clock), clock, [])
    report("half_open", {"ended_s": {k: round(v, 3) for k, v in took.items()}, **figures})
    assert max(took.values()) < ENDED_WITHIN_S, took


def _until_silent(watching: Watching, name: str, proxy: Proxy) -> None:
    """Lets it work until the stream hangs where it should."""
    if name != "midstream":
        # A knock, and then the call that nobody answers.
        watching.until(lambda: proxy.counted.connections >= 2)
        watching.run_for(1.0)
        assert watching.status(name).state == "opening"
        return
    watching.until(watching.plays(name))
    watching.run_for(1.0)
    proxy.faults.stalled = True
    watching.run_for(1.0)
    assert watching.status(name).state == "playing"


def _dropped(watching: Watching, name: str) -> float:
    """How many seconds the stream took to end, its process included."""
    assert isinstance(watching.crew, LocalCrew)
    [pid] = [worker.pid for worker in watching.crew.workers if worker.name == name]
    began = watching.until(lambda: True)
    watching.supervisor.drop(name)
    known = watching.supervisor.statuses
    watching.until(lambda: all(status.name != name for status in known()))
    return watching.until(lambda: not psutil.pid_exists(pid)) - began
