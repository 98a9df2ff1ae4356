"""Videos that hang or kill who looks at them are written down, and the others go on."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from pipeline.batch.tally import Tally
from pipeline.batch.unit import Outcome
from pipeline.run.local_batch import LocalBatch
from pipeline.run.local_crew import LocalCrew
from pipeline.testing import brightness_lane, loudness_lane
from tests.batch.conftest import make_film
from tests.batch.lanes import deadly_lane, hanging_lane
from tests.batch.test_trial_corruption import failures
from tests.live.watching import report
from tests.pipeline.batch.jobs import begun, plain_job, run_local, states, tree

pytestmark = pytest.mark.slow

STALL_S = 2.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good videos, and two whose names say what they do."""
    videos = tmp_path / "videos"
    good = make_film(videos, "mkv", 2)
    for name in ("deadly", "good", "hangs"):
        shutil.copy(good, videos / f"{name}.mkv")
    return videos


def test_what_hangs_and_what_kills_is_written_down(folder: Path, tmp_path: Path) -> None:
    lanes = (
        hanging_lane(brightness_lane(), "hangs"),
        deadly_lane(loudness_lane(), "deadly"),
    )
    job = plain_job(tmp_path / "results", lanes, stall_s=STALL_S)
    began = time.monotonic()
    run_local(job, folder)
    took_s = time.monotonic() - began
    found = states(job)
    assert sorted(found.values()) == ["done", "done", "failed", "failed"]
    assert found["hangs.mkv"] == found["deadly.mkv"] == "failed"
    assert failures(tmp_path / "results") == {
        "deadly.mkv": ["worker_lost"],
        "hangs.mkv": ["hung"],
    }
    report("batch_hang", {"took_s": round(took_s, 1)})
    before = tree(tmp_path / "results")
    assert run_local(job, folder) == []
    assert tree(tmp_path / "results") == before


def test_a_worker_that_is_stopped_is_replaced_in_the_end(folder: Path, tmp_path: Path) -> None:
    job = plain_job(tmp_path / "results", (brightness_lane(),), stall_s=STALL_S, timeout_s=6.0)
    stopped: list[psutil.Process] = []
    with begun(job, folder) as todo, LocalCrew() as crew:
        tally = Tally()

        def hear(outcome: Outcome | None) -> bool:
            if outcome is not None and not stopped:
                stopped.append(psutil.Process(crew.workers[0].pid))
                stopped[0].suspend()
            return True

        LocalBatch(job, crew, 1, tally).run(todo.units(), hear)
    assert tally.workers_lost == len(stopped) == 1
    assert set(states(job).values()) == {"done"}


class Falling(BaseHTTPRequestHandler):
    """Says how large the video is, sends half of it, and then nothing more."""

    video = b""
    over = Event()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.video)))
        self.send_header("ETag", '"one"')
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(OSError):
            self.wfile.write(self.video[: len(self.video) // 2])
            self.wfile.flush()
        self.over.wait()

    def log_message(self, *_what: object) -> None:
        """Nothing."""


@contextmanager
def server(video: bytes) -> Iterator[str]:
    """The address of a server that falls silent."""
    over = Event()
    handler = type("Handler", (Falling,), {"video": video, "over": over})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        thread = Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/x.mkv"
        finally:
            over.set()
            http.shutdown()
            thread.join()


@contextmanager
def silence() -> Iterator[str]:
    """The address of a server that takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/x.mkv"


def test_servers_that_fall_silent_do_not_hold_up_the_job(folder: Path, tmp_path: Path) -> None:
    video = (folder / "good.mkv").read_bytes()
    with server(video) as half, silence() as silent:
        listed = tmp_path / "videos.txt"
        listed.write_text("\n".join([half, silent, str(folder / "good.mkv")]) + "\n")
        job = plain_job(tmp_path / "results", (brightness_lane(),), stall_s=STALL_S)
        began = time.monotonic()
        run_local(job, listed)
        took_s = time.monotonic() - began
    found, failed = states(job), failures(tmp_path / "results")
    report("batch_silence", {"took_s": round(took_s, 1), "failures": failed})
    assert sorted(found.values()) == ["done", "failed", "failed"], failed
    assert len(failed) == 2
