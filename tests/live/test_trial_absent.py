"""Cameras that are not there, that want another password, or whose name nobody knows."""

import socket
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from prometheus_client import generate_latest

from pipeline.media.address import LiveAddress
from pipeline.media.credentials import Credentials
from tests.live.conftest import Footage
from tests.live.footage import Clock
from tests.live.outages import check_outages, decoded, until_back
from tests.live.proxy import Proxy
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = pytest.mark.slow

LASTS_S = 150.0 if FULL else 12.0
# Four processes start at once on two cores; nobody who waits for the absent ones ever starts.
STARTS_WITHIN_S, BACK_WITHIN_S = 8.0, 1.5
USER, RIGHT, WRONG = "watcher", "open-sesame-4711", "open-barley-0815"


def test_who_is_not_there_holds_up_nobody_and_no_password_is_told(
    tmp_path: Path,
    yard: Footage,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("YARD_PASSWORD", WRONG)
    mounts = {"/yard": {"feed": yard.feed}}
    with (
        RtspServer(mounts) as server,
        RtspServer(mounts, user=USER, password=RIGHT) as locked,
        Proxy(locked.address, locked.port) as door,
        Watching(tmp_path) as watching,
    ):
        late = RtspServer(mounts, port=_free_port())
        begun = watching.until(lambda: True)
        credentials = Credentials(user=USER, password_env="YARD_PASSWORD")
        door_url = f"rtsp://127.0.0.1:{door.port}/yard"
        watching.add("locked", LiveAddress("rtsp", door_url, credentials=credentials))
        watching.add("nowhere", f"rtsp://{USER}:{WRONG}@camera.invalid/yard")
        watching.add("late", late.url("/yard"))
        watching.add("there", server.url("/yard"))
        watching.until(watching.plays("there"))
        started_s = until_back(watching, "there") - begun
        pauses = _pauses(watching, ("nowhere", "late"), LASTS_S)
        calls = len(door.counted.opened_at)
        assert "check the user name and the password" in watching.status("locked").reason
        assert "no host called 'camera.invalid'" in watching.status("nowhere").reason
        assert "is the sender running?" in watching.status("late").reason
        assert decoded(watching, "there") > 0.9 * yard.clip.rate * LASTS_S
        with late:
            back_s = until_back(watching, "late") - late.ready_at
        told = _told(watching) + "".join(_command_lines())
        assert _variables_with(WRONG) == {"YARD_PASSWORD"}
        watching.end()
        told += "".join(capfd.readouterr())
    told += _written(tmp_path)
    for secret in (WRONG, RIGHT, f"{USER}:"):
        assert secret not in told
    clock = Clock(yard.clip, server.epoch)
    check_outages(watching.of("there", clock), clock, [])
    assert started_s < STARTS_WITHIN_S
    assert back_s < BACK_WITHIN_S
    # Nobody loses patience with a password that is refused: a knock and an opening, then 30 s.
    assert calls <= (8 if FULL else 2)
    longest = {name: max(some) for name, some in pauses.items()}
    assert longest["late"] < 2.0
    assert len(pauses["late"]) > len(pauses["nowhere"]) >= 2
    assert longest["nowhere"] > 2 * min(pauses["nowhere"])
    figures = {
        "others_started_s": round(started_s, 3),
        "back_s": round(back_s, 3),
        "refused_calls": calls,
        "lasted_s": LASTS_S,
        "pauses_s": {name: [round(one, 1) for one in some[:12]] for name, some in pauses.items()},
    }
    report("absent", figures)


def _pauses(watching: Watching, names: tuple[str, ...], seconds: float) -> dict[str, list[float]]:
    """The seconds between the attempts of each of these, as they are told."""
    seen: dict[str, dict[int, float]] = {name: {} for name in names}
    end = watching.until(lambda: True) + seconds

    def over() -> bool:
        now = watching.until(lambda: True)
        for name in names:
            seen[name].setdefault(watching.status(name).attempts, now)
        return now > end

    watching.until(over, seconds + 5)
    return {
        name: [(later - time) / (many - few) for (few, time), (many, later) in pairwise(tries)]
        for name, tries in ((name, sorted(times.items())) for name, times in seen.items())
    }


def _told(watching: Watching) -> str:
    """All that people and programs are told."""
    lines = [told.line for told in watching.told]
    page = generate_latest(watching.metrics.registry).decode()
    return "\n".join([*lines, page, repr(watching.supervisor.statuses())])


def _command_lines() -> list[str]:
    """Of this process's children, as everybody on the machine may see them."""
    return [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]


def _variables_with(secret: str) -> set[str]:
    """The names of the children's environment variables that hold it."""
    children = psutil.Process().children(recursive=True)
    return {
        name for child in children for name, value in child.environ().items() if secret in value
    }


def _written(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return "\n".join(path.read_text() for path in files)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
