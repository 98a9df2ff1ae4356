"""Cameras that take a call and then say nothing more: they cannot keep a stream from ending."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.live.conftest import Footage
from tests.live.courses import Course, after, follow
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
        with ExitStack() as stack:
            proxies = {
                where: stack.enter_context(Proxy(server.address, server.port)) for where in SILENCES
            }
            for where, proxy in proxies.items():
                proxy.faults = SILENCES[where]
                watching.add(where, f"rtsp://127.0.0.1:{proxy.port}/street")
            follow(watching, *[_dropped(watching, *one, took) for one in proxies.items()])
        watching.until(lambda: threading.active_count() <= threads, ENDED_WITHIN_S)
        assert len(psutil.Process().children()) == processes
        watching.end()
    for where in SILENCES:
        assert watching.of(where).ledger["closed"], where
    clock = Clock(street.clip, server.epoch)
    figures = check_outages(watching.of("healthy", clock), clock, [])
    report("half_open", {"ended_s": {k: round(v, 3) for k, v in took.items()}, **figures})
    assert max(took.values()) < ENDED_WITHIN_S, took


def _silent(watching: Watching, name: str, proxy: Proxy) -> Course:
    """Until the stream hangs where it should."""
    if name != "midstream":
        # A knock, and then the call that nobody answers.
        yield lambda: proxy.counted.connections >= 2
        yield after(1.0)
        assert watching.status(name).state == "opening"
        return
    yield watching.plays(name)
    yield after(1.0)
    proxy.faults.stalled = True
    yield after(1.0)
    assert watching.status(name).state == "playing"


def _dropped(watching: Watching, name: str, proxy: Proxy, took: dict[str, float]) -> Course:
    """It ends, its process included, when it hangs; `took` has how many seconds that took."""
    yield from _silent(watching, name, proxy)
    pid, began = watching.reader(name), time.time()
    watching.supervisor.drop(name)
    known = watching.supervisor.statuses
    yield lambda: all(status.name != name for status in known())
    yield lambda: not psutil.pid_exists(pid)
    took[name] = time.time() - began
