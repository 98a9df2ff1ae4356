"""Every panel shows something when a real run has real faults: no query is wrong, none is idle.

Live streams, files and an offline job run as programs of their own; a camera is killed, its packets
are damaged, a process of every kind is lost, and results cannot be written. Prometheus scrapes them
all; each query of each panel has to bring a series at some moment.
"""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import BaseModel

from deploy.grafana.queries import fill, of
from models import action
from models.card import Card
from models.checkpoint import save
from pipeline.lanes.action import ActionLane
from pipeline.lanes.gate import MotionGateConfig
from pipeline.metrics import TABLE, Metric
from tests import networks
from tests.deploy.monitoring import SHIPPED, api, prometheus, query, wait_for
from tests.deploy.test_grafana import BUILT, metrics_of
from tests.live import feed, footage
from tests.live.footage import Clip
from tests.live.proxy import Faults, Proxy
from tests.live.running import Running
from tests.live.senders import free_port
from tests.live.servers import RtspServer
from tests.live.watching import report
from tests.pipeline.media.test_gops import CODECS, film
from tests.programs import descendants, program

pytestmark = [pytest.mark.slow, pytest.mark.alone]

WITHIN_S = 40.0
SCRAPE_S = 1
CLIP = Clip(seconds=16)
SCAN = ("--scan", "packets", "--audit", "0.5")
ABSENT = {
    "device_memory_bytes": "no network runs on a device here",
    "device_memory_size_bytes": "no network runs on a device here",
}
"""Metrics that have no series here, and why."""


@dataclass(frozen=True)
class Case:
    """Three programs that are watched by a Prometheus, since when (Unix seconds)."""

    url: str
    began: float
    live: Running
    job: subprocess.Popen[str]
    server: RtspServer
    wire: Proxy

    def until(self, promql: str) -> None:
        """Waits until Prometheus finds series for this."""
        wait_for(lambda: query(self.url, promql), WITHIN_S, f"{promql}; {self.live.said}")


@contextmanager
def witness(folder: Path, port: int, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A witness that tells on this port; it and all that it began end with the block."""
    folder.mkdir()
    more = ["--engine", "local", "--out", str(folder / "out"), "--metrics-port", str(port)]
    command = [sys.executable, "-m", "pipeline", *words, *more]
    with (folder / "run.log").open("w") as said, program(command, said) as process:
        yield process


def of_role(process: subprocess.Popen[str], role: str) -> list[psutil.Process]:
    """The processes of a role that came of it, oldest first."""
    found = []
    for child in descendants(process):
        with suppress(psutil.Error):
            if child.cmdline()[-2:-1] == [role]:
                found.append(child)
    return sorted(found, key=lambda child: (child.create_time(), child.pid))


def lanes_of(folder: Path) -> list[dict[str, Any]]:
    """Watches and listens with small networks, and looks at what moves alone."""
    watching = networks.action_lane(folder).model_copy(update={"gate": MotionGateConfig()})
    return [told(watching), told(networks.sound_lane(folder))]


def misfit_lane(folder: Path) -> dict[str, Any]:
    """A lane whose network fails on every picture: they are larger than it can take."""
    weights, wants = folder / "misfit.safetensors", {"rate_hz": 2, "width": 64, "height": 48}
    card = Card("misfit", "action", networks.LABELS, networks.ACTION, wants)
    save(weights, action.build(networks.ACTION).state_dict(), card)
    return told(ActionLane(kind="action", name="misfit", weights=str(weights)))


def told(lane: BaseModel) -> dict[str, Any]:
    """A lane as a file has it."""
    return lane.model_dump(exclude_none=True, mode="json")


def videos_of(folder: Path, quiet: Path, films: int) -> Path:
    """A folder of so many films, and one that is none."""
    videos = folder / "videos"
    videos.mkdir()
    for number in range(films):
        (videos / f"quiet{number}.mp4").symlink_to(quiet)
    (videos / "broken.mp4").write_bytes(b"no video at all" * 20)
    return videos


def written(path: Path, said: dict[str, Any]) -> Path:
    """A file of settings."""
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in said.items()]
    path.write_text("".join(lines), encoding="utf-8")  # values in JSON are YAML
    return path


@contextmanager
def case(folder: Path, films: int = 10) -> Iterator[Case]:
    """A camera and a film that are watched, files, and a job of so many films."""
    ports = [free_port() for _ in range(3)]
    street = footage.make(folder, CLIP).rename(folder / "street.mp4")
    quiet = film(folder, CODECS[0])
    videos = videos_of(folder, quiet, films)
    lanes = lanes_of(folder)
    config = str(written(folder / "lanes.yaml", {"lanes": lanes}))
    with ExitStack() as begun:
        mounts = {"/yard": {"feed": feed.write(street, CLIP)}}
        server = begun.enter_context(RtspServer(mounts))
        wire = begun.enter_context(Proxy("127.0.0.1", server.port))
        streams = {
            "yard": {"url": f"rtsp://127.0.0.1:{wire.port}/yard", "max_lag_s": 2},
            "hall": {"url": str(quiet), "realtime": True, "loop": True},
        }
        control = {"port": 0, "local_paths": True}
        wanted = {"lanes": [*lanes, misfit_lane(folder)], "control": control, "streams": streams}
        fleet = written(folder / "streams.yaml", wanted)
        targets = [f"127.0.0.1:{port}" for port in ports]
        rules = sorted(SHIPPED.glob("witness.*.yml"))
        url = begun.enter_context(prometheus(targets, rules, folder / "prometheus"))
        began = time.time()
        commands = {
            "live": ["run", str(fleet)],
            "files": ["run", str(videos / "broken.mp4"), str(street), "--config", config],
            "job": [*("batch", str(videos), "--config", config, "--workers", "1"), *SCAN],
        }
        live, _, job = (
            begun.enter_context(witness(folder / name, port, *words))
            for port, (name, words) in zip(ports, commands.items(), strict=True)
        )
        yield Case(url, began, Running(fleet, folder / "live" / "out", live), job, server, wire)


def break_all(case: Case) -> None:
    """One fault after the other, each until Prometheus knows of it."""
    live = case.live
    workers = wait_for(lambda: of_role(case.job, "member"), WITHIN_S, "a worker of the job")
    workers[0].send_signal(signal.SIGKILL)
    live.until(live.plays("hall", "yard"), WITHIN_S)
    case.until(f"sum(rate({of('event_delay_seconds', '_count')}[4s])) > 0")
    case.server.kill()
    case.until('ALERTS{alertname="StreamDown", alertstate="firing"}')
    case.server.start()
    live.until(live.plays("hall", "yard"), WITHIN_S)
    case.wire.faults = Faults(flip=0.1)
    case.until(f"{of('decode_troubles', stream='yard')} > 0")
    case.wire.faults = Faults()
    for role, lost in (
        ("reader", "readers_lost"),
        ("member", "pool_members_lost"),
        ("keeper", "keepers_lost"),
    ):
        of_role(live.process, role)[0].send_signal(signal.SIGKILL)
        case.until(f"{of(lost)} > 0")
    live.until(live.plays("hall", "yard"), WITHIN_S)
    members = of_role(live.process, "member")
    for member in members:  # nobody answers: what gets too old is given up
        member.send_signal(signal.SIGSTOP)
    case.until(f"{of('dropped')} > 0")
    for member in members:
        with suppress(psutil.NoSuchProcess):  # who hung for too long was replaced
            member.send_signal(signal.SIGCONT)
    full = {
        keeper: keeper.rlimit(psutil.RLIMIT_FSIZE) for keeper in of_role(live.process, "keeper")
    }
    for keeper, (_, most) in full.items():
        keeper.rlimit(psutil.RLIMIT_FSIZE, (0, most))
    case.until(f"{of('sink_failing')} == 1")
    for keeper, before in full.items():
        keeper.rlimit(psutil.RLIMIT_FSIZE, before)
    case.until(f"sum({of('sink_failing')}) == 0")
    case.until(f"{of('failed')} > 0")
    case.until(f"max_over_time({of('job_audited_groups')}[5m]) > 0")


def seen(case: Case, promql: str) -> int:
    """How many series a query brings that have a number at some moment of the run."""
    end = time.time()
    found = api(
        case.url,
        "query_range",
        query=promql,
        start=f"{case.began:.3f}",
        end=f"{end:.3f}",
        step=str(SCRAPE_S),
    )["result"]
    return sum(any(math.isfinite(float(value)) for _, value in one["values"]) for one in found)


def filled(case: Case, promql: str) -> list[str]:
    """The query with every value of Grafana's variables: of streams and lanes one after another."""
    shown = f"{round(time.time() - case.began)}s"
    fixed = {"instance": ".*", "__rate_interval": f"{4 * SCRAPE_S}s", "__range": shown}
    streams = ("yard", "hall", "broken", "street") if "$stream" in promql else ("",)
    lanes = ("action", "sound", "misfit") if "$lane" in promql else ("",)
    return [
        fill(promql, {**fixed, "stream": stream, "lane": lane})
        for stream, lane in product(streams, lanes)
    ]


def asked_for() -> Iterator[tuple[str, str]]:
    """(dashboard: panel, query) of everything that is drawn; of marks those of streams."""
    for name, made in BUILT.items():
        for panel in made["panels"]:
            for target in panel.get("targets", ()):
                yield f"{name}: {panel['title']}", target["expr"]
        for mark in made["annotations"]["list"]:
            if 'stream=""' not in mark["expr"]:
                yield f"{name}: {mark['name']}", mark["expr"]


def choices(case: Case) -> dict[str, set[str]]:
    """What each variable of each dashboard lets one choose."""
    found = {}
    for name, made in BUILT.items():
        for variable in made["templating"]["list"][1:]:
            query = variable["query"]["query"]
            asks = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert asks is not None, query
            [series, *_] = filled(case, asks[1])
            values = api(case.url, f"label/{asks[2]}/values", **{"match[]": series})
            found[f"{name}: {variable['name']}"] = set(values)
    return found


def is_known(names: set[str], metric: Metric) -> bool:
    """True when Prometheus has seen a series of it."""
    ending = "_count" if metric.kind == "histogram" else ""
    return f"{metric.full_name}{ending}" in names


def test_every_panel_shows_something(tmp_path: Path) -> None:
    absent = {of(name) for name in ABSENT}
    with case(tmp_path) as running:
        break_all(running)
        broken_s = time.time() - running.began
        silent = {
            (panel, asked)
            for panel, asked in asked_for()
            if not any(seen(running, query) for query in filled(running, asked))
        }
        asked_s = time.time() - running.began - broken_s
        names = set(api(running.url, "label/__name__/values"))
        chosen = choices(running)
    figures = {"queries": len(list(asked_for())), "broken_s": broken_s, "asked_s": asked_s}
    report("dashboards", figures)
    assert chosen["stream: stream"] == {"yard", "hall", "street"}
    assert chosen["stream: lane"] == chosen["pools: lane"] == {"action", "sound", "misfit"}
    assert all(chosen.values()), chosen
    assert {metric.name for metric in TABLE if not is_known(names, metric)} == set(ABSENT)
    assert not {one for one in silent if not metrics_of(one[1]) & absent}, silent
