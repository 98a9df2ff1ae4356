import socket
import threading
import time
from typing import Any

import pytest
from tenacity import RetryCallState, RetryError

from pipeline.errors import SourceAbsent, SourceError, SourceRefused, SourceUnreadable
from pipeline.media.address import LiveAddress
from pipeline.media.attempts import KNOCK_S, knock, pause_after, retrying


def address(port: int) -> LiveAddress:
    return LiveAddress("rtsp", f"rtsp://127.0.0.1:{port}/yard")


def test_who_takes_a_call_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        knock(address(server.getsockname()[1]))
        caller, _ = server.accept()
        with caller:
            assert caller.recv(1) == b""


def test_who_refuses_is_absent_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(SourceAbsent, match="Connection refused"):
        knock(address(port))
    assert time.monotonic() - began < KNOCK_S / 2


def test_a_call_that_was_swallowed_is_made_again_before_the_network_would() -> None:
    """Linux swallows calls while the queue of the one who listens is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        door = server.getsockname()
        with socket.create_connection(door, 5.0):
            opened = threading.Timer(1.2, lambda: server.accept()[0].close())
            opened.start()
            began = time.monotonic()
            knock(address(door[1]))
            took_s = time.monotonic() - began
            opened.join()
    # Without a second call: an attempt after one second, and the next after three.
    assert 1.2 < took_s < KNOCK_S


def test_who_never_answers_is_absent_in_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        door = server.getsockname()
        with (
            socket.create_connection(door, 5.0),
            pytest.raises(SourceAbsent, match="no answer"),
        ):
            knock(address(door[1]))


def test_datagrams_have_no_door() -> None:
    knock(LiveAddress("mpegts", "udp://127.0.0.1:9"))


def test_any_address_of_a_name_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for `localhost` where that is ::1 first and the server listens on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        known: list[tuple[Any, ...]] = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: known)
        knock(LiveAddress("rtsp", f"rtsp://both.example.org:{port}/yard"))
        server.settimeout(5)
        server.accept()[0].close()


def test_who_was_long_away_is_not_made_to_wait_for_being_slow() -> None:
    failures: list[type[SourceError]] = [*[SourceAbsent] * 30, *[SourceUnreadable] * 8]
    failures.append(SourceRefused)
    pauses: list[float] = []
    stopped = threading.Event()

    def failed(retry: RetryCallState) -> None:
        assert retry.next_action is not None
        pauses.append(retry.next_action.sleep)
        retry.next_action.sleep = 0.0
        if not failures:
            stopped.set()

    def attempt() -> None:
        raise (failures.pop(0) if failures else SourceRefused)("not now")

    again = retrying(stopped, failed)
    again.sleep = lambda _seconds: None
    with pytest.raises(RetryError):
        again(attempt)
    assert pauses[29] == 0.5
    assert 0.25 <= pauses[30] <= 0.75
    assert pauses[37] == 15
    assert 30 <= pauses[38] <= 40


def test_connections_that_did_not_hold_are_made_again_soon_if_they_brought_something() -> None:
    assert pause_after(1, brought=False) == 0.0
    assert pause_after(8, brought=False) > 10
    assert max(pause_after(shorts, brought=True) for shorts in range(40)) <= 1
