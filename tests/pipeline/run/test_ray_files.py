"""One Ray for the whole module: each `drive` is a job with its own readers, pool and keeper.

Ray is imported inside functions, so that this file can be collected where it is not installed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from pipeline.config.schema import PoolConfig
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from pipeline.run.job import Job, StreamResult
from pipeline.testing import ListWatcher, brightness_lane, failing_lane, loudness_lane
from tests import clips, networks
from tests.pipeline.run.runs import files, job, local, rows

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RAY_PROCESSES = ("gcs_server", "raylet", "ray::", "plasma")
RAY_SCRIPTS = ("log_monitor.py", "monitor.py", "agent.py", "dashboard.py", "default_worker.py")


@pytest.fixture(scope="module", autouse=True)
def one_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An embedded Ray, as `run_ray` starts it."""
    import ray

    from pipeline.run.ray_cluster import start_ray

    before = os.environ.pop("RAY_ADDRESS", None)
    start_ray(job({}, tmp_path_factory.getbasetemp(), pool=PoolConfig(members=2)))
    yield
    ray.shutdown()
    if before is not None:
        os.environ["RAY_ADDRESS"] = before


def drive(done: Job, watcher: ListWatcher | None = None) -> tuple[list[StreamResult], bool]:
    from pipeline.run.ray_files import _Drive

    return _Drive(done, watcher or ListWatcher(), Metrics()).run()


def pool(members: int = 1, in_flight: int = 6, stall_timeout_s: float = 60.0) -> PoolConfig:
    return PoolConfig(
        members=members, threads=1, in_flight=in_flight, stall_timeout_s=stall_timeout_s
    )


@pytest.fixture(scope="module")
def long_film(media: Path) -> Path:
    """Long enough that something can happen while it is read."""
    picture = clips.at_rate(Fraction(25), seconds=20)
    return clips.make(media, clips.Recipe("mp4", picture, clips.Sound(seconds=Fraction(20))))


def actors(name: str) -> list[psutil.Process]:
    """The processes of a kind of actor of this session, oldest first."""
    found = psutil.Process().children(recursive=True)
    named = [p for p in found if p.name().startswith(f"ray::{name}")]
    return sorted(named, key=lambda process: process.create_time())


@dataclass
class Once(ListWatcher):
    """Does something, once, when streams have come this far."""

    do: Callable[[], None] = print
    after: dict[str, Fraction] = field(default_factory=dict)

    def reached(self, stream: str, position: Fraction) -> None:
        ListWatcher.reached(self, stream, position)
        if stream in self.after and position >= self.after[stream]:
            del self.after[stream]
            if not self.after:
                self.do()


def listening(process: psutil.Process) -> list[tuple[str, str, int]]:
    """Name, address and port of each socket that a process listens on."""
    try:
        command = " ".join(process.cmdline())
        found = process.net_connections("inet")
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
    name = process.name()
    if name.startswith("python") and any(script in command for script in RAY_SCRIPTS):
        name = "ray::python"
    return [(name, c.laddr.ip, c.laddr.port) for c in found if c.status == psutil.CONN_LISTEN]


def test_the_answer_is_that_of_the_local_engine(
    film: Path, silent_film: Path, recording: Path, tmp_path: Path
) -> None:
    sources = {"a": film, "b": silent_film, "c": recording, "d": film}
    expected = [rows(result) for result in local(job(sources, tmp_path / "local"))]
    mine = psutil.Process()
    sockets: list[tuple[str, str, int]] = []
    own = {conn for process in [mine] for conn in listening(process)}
    with MetricsPage(Metrics(), 0) as page:

        def look() -> None:
            for process in [mine, *mine.children(recursive=True)]:
                sockets.extend(listening(process))

        watcher = Once(do=look, after={"d": Fraction(1)})
        done = job(sources, tmp_path / "ray", pool=pool(2))
        results, interrupted = drive(done, watcher)
    assert not interrupted
    assert [result.error for result in results] == [None] * 4
    assert [rows(result) for result in results] == expected
    books = [result.summary["ledger"]["closed"] for result in results if result.summary]
    assert books == [True] * 4
    assert watcher.idle["c"] == ["brightness", "blobs"]
    # What listens: our page, for this machine alone, and the processes of Ray.
    strange = [s for s in sockets if not s[0].startswith(RAY_PROCESSES) and s not in own]
    assert page.url is not None
    assert [(ip, port) for _, ip, port in strange] == [
        ("127.0.0.1", int(page.url.split(":")[2].split("/")[0]))
    ]
    assert any(name.startswith("ray::") for name, _, _ in sockets)


def test_real_networks_say_the_same_in_every_engine(
    film: Path, silent_film: Path, tmp_path: Path
) -> None:
    configs = [
        f(tmp_path) for f in (networks.sound_lane, networks.action_lane, networks.instances_lane)
    ]
    lanes = [config.build("cpu") for config in configs]
    sources = {"a": film, "b": silent_film}
    alone = [
        rows(local(job({name: path}, tmp_path / "alone", lanes=lanes))[0])
        for name, path in sources.items()
    ]
    assert {row["lane"] for told in alone for row in told} == {"sound", "action", "instances"}
    # One after the other, where the fake lanes have several members and much under way.
    results, _ = drive(job(sources, tmp_path / "ray", lanes=lanes, pool=pool(in_flight=1)))
    assert [rows(result) for result in results] == alone


def test_what_fails_is_told_and_harms_no_other(film: Path, media: Path, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file in the way", encoding="utf-8")
    lanes = [failing_lane(brightness_lane(rate_hz=25), 5), loudness_lane()]
    sources = {"a": media / "missing.mp4", "b": film, "c": film}
    missing, good, blocked = drive(job(sources, tmp_path, lanes=lanes, pool=pool()))[0]
    assert "no such file" in str(missing.error)
    assert "cannot be written" in str(blocked.error) and blocked.summary is None
    assert good.error is None and good.summary is not None
    books = good.summary["ledger"]
    assert books["closed"]
    assert books["lanes"]["brightness"]["failed"] == {"ArithmeticError": 10}
    assert files(tmp_path) == ["b/events.jsonl", "b/summary.json", "c"]


def test_a_reader_that_dies_or_hangs_keeps_what_it_had_read(
    long_film: Path, tmp_path: Path
) -> None:
    def harm() -> None:
        first, second = actors("SourceReader")[:2]
        first.send_signal(signal.SIGKILL)
        second.send_signal(signal.SIGSTOP)

    watcher = Once(do=harm, after=dict.fromkeys("abc", Fraction(4)))
    sources = dict.fromkeys("abc", long_film)
    done = job(sources, tmp_path, pool=pool(in_flight=1, stall_timeout_s=10))
    results, interrupted = drive(done, watcher)
    assert not interrupted
    # Which process read which source is not told, so what is left is known by its result.
    (good,) = [result for result in results if result.error is None]
    harmed = [result for result in results if result.error is not None]
    assert good.summary is not None and good.summary["complete"]
    told = sorted(str(result.error).split(": ", 1)[1] for result in harmed)
    assert told[0] == "the reader brought nothing; what it had read is kept"
    assert told[1].startswith("the reader died (its process ended unexpectedly")
    reasons = set()
    for result in harmed:
        assert result.summary is not None
        books = result.summary["ledger"]
        assert books["closed"] and not result.summary["complete"]
        assert 4 <= result.summary["media_s"] < 20
        assert rows(result)
        reasons |= {reason for book in books["lanes"].values() for reason in book["dropped"]}
    assert reasons == {"reader_lost", "reader_stalled"}


def test_a_pool_member_that_dies_costs_only_its_windows(long_film: Path, tmp_path: Path) -> None:
    watcher = Once(do=lambda: actors("PoolMember")[-1].kill(), after={"a": Fraction(4)})
    (result,), _ = drive(job({"a": long_film}, tmp_path, pool=pool()), watcher)
    assert result.error is None and result.summary is not None
    books = result.summary["ledger"]
    assert books["closed"]
    failed = [book["failed"] for book in books["lanes"].values()]
    assert {reason for reasons in failed for reason in reasons} == {"pool_member_lost"}
    assert all(book["analysed"] > book["offered"] // 4 for book in books["lanes"].values())


def test_ctrl_c_settles_what_is_under_way(long_film: Path, film: Path, tmp_path: Path) -> None:
    watcher = Once(do=lambda: os.kill(os.getpid(), signal.SIGINT), after={"a": Fraction(4)})
    sources = {"a": long_film, "b": long_film}
    results, interrupted = drive(job(sources, tmp_path, pool=pool()), watcher)
    assert interrupted
    summary = results[0].summary
    assert summary is not None
    assert summary["interrupted"] and not summary["complete"]
    assert 4 <= summary["media_s"] < 20
    assert all(r.summary["ledger"]["closed"] for r in results if r.summary)
    assert not any(Path(name).name.startswith(".") for name in files(tmp_path))


STRANGER = """
import sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
except BaseException as error:
    print("refused", type(error).__name__)
else:
    print("joined")
"""


def knock(environments: Sequence[dict[str, str]]) -> list[str]:
    """What a stranger's process with each of these environments says of joining our Ray."""
    import ray

    command = [sys.executable, "-c", STRANGER, ray.get_runtime_context().gcs_address]
    with ExitStack() as stack:
        strangers = [
            stack.enter_context(
                subprocess.Popen(command, env=one, stdout=subprocess.PIPE, text=True)
            )
            for one in environments
        ]
        try:
            return [stranger.communicate(timeout=120)[0] for stranger in strangers]
        finally:
            for stranger in strangers:
                stranger.kill()


def test_who_has_no_token_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0" * 64, encoding="ascii")
    bare = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    stranger = {**bare, "HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": str(token)}
    modes = [{**stranger, "RAY_AUTH_MODE": mode} for mode in ("token", "disabled")]
    said = knock([*modes, dict(os.environ)])
    assert [one.split()[0] for one in said] == ["refused", "refused", "joined"]
