"""`witness bench`: what streams cost on this machine, for `witness plan`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.commands.request import example
from pipeline.config.schema import RunConfig
from pipeline.errors import WitnessError
from pipeline.lane import Lane
from pipeline.lanes import LaneConfig
from pipeline.lanes.sound import SoundLane
from pipeline.plan.costs import (
    SIZES,
    Costs,
    LaneCosts,
    Machine,
    ProcessCosts,
    SizeCosts,
)

if TYPE_CHECKING:
    from pipeline.plan.films import Decoding, Film
    from pipeline.plan.networks import Networks
    from pipeline.plan.trial import Trial

GOOD, FAILED = 0, 3
TRIAL_S = 15.0
LONG = "360p"
"""The film of this size is long: the others begin anew every few seconds, which takes its time."""
LONG_FRAMES, FINE_FRAMES, COARSE_FRAMES = 300, 60, 30
PLANNED_FPS, TRIED_FPS = 2.0, 0.5
"""Of lanes with a free rate: in a plan, and while streams are tried, as two cores can."""
BUSY = "import os\nos.nice(19)\nwhile True: sum(i * i for i in range(10**5))"

Say = Callable[[str], None]
WentOn = Callable[[float], None]


def bench_command(out: Path | None, seconds: float = TRIAL_S) -> int:
    """0 when everything was measured, and written to `out` as JSON; 3 when something failed."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        with _shown(console) as (say, went_on), others_busy():
            costs = measure(seconds, say, went_on)
        if out is not None:
            costs.write(out)
    except WitnessError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return FAILED
    for line in _told(costs):
        console.print(line)
    if out is not None:
        console.print(f"written to {escape(str(out))}: `witness plan --costs {escape(str(out))}`")
    return GOOD


def measure(seconds: float, say: Say, went_on: WentOn) -> Costs:
    """The costs here; `say` hears what is being done and `went_on` about how many seconds it is."""
    import torch

    from pipeline.plan import books, films, networks, trial

    torch.set_num_threads(1)
    clip = example("street.mp4")
    lanes = shipped_lanes()
    with tempfile.TemporaryDirectory(prefix="witness-bench-") as name:
        folder = Path(name)
        decodings: dict[str, Decoding] = {}
        played: dict[str, Film] = {}
        for size, pixels in SIZES.items():
            say(f"decoding {size}")
            fine, coarse = folder / f"{size}.mp4", folder / f"{size}-coarse.mp4"
            frames = LONG_FRAMES if size == LONG else FINE_FRAMES
            played[size] = films.make(clip, fine, pixels, frames, films.FINE)
            other = films.make(clip, coarse, pixels, COARSE_FRAMES, films.COARSE)
            decodings[size] = films.decoding(played[size], other, lanes)
            went_on(5.0)
        say("networks")
        found = networks.networks(clip, lanes, lambda: went_on(4.0))
        say(f"{len(played)} streams for {seconds:.0f} s")
        paths = {f"s{size}": film.path for size, film in played.items()}
        tried = trial.apart(paths, configs(TRIED_FPS), folder / "out", seconds)
        went_on(seconds + trial.SETTLE_S)
        keeper_ms = books.keeper_ms(lanes, folder / "books")
    return assembled(Measured(lanes, played, decodings, found, tried, keeper_ms))


def configs(fps: float) -> tuple[LaneConfig, ...]:
    """The lanes of a run without a config, those with a free rate at this one."""
    return tuple(
        config.model_copy(update={"rate_hz": fps}) if hasattr(config, "rate_hz") else config
        for config in RunConfig().lanes
    )


def shipped_lanes() -> tuple[Lane, ...]:
    """The same, built, at the rate of a plan."""
    return tuple(config.build("cpu") for config in configs(PLANNED_FPS))


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured, before it is put into one form."""

    lanes: Sequence[Lane]
    films: Mapping[str, Film]
    decodings: Mapping[str, Decoding]
    networks: Networks
    trial: Trial
    keeper_stream_ms: float


def assembled(measured: Measured) -> Costs:
    """The costs: what the trial took beyond decoding and networks goes to who took it."""
    lanes, tried = measured.lanes, measured.trial
    total = sum(tried.windows.values()) or 1.0
    roles = tried.roles
    idle_ms = measured.keeper_stream_ms * len(measured.films)
    return Costs(
        machine=this_machine(),
        sizes={size: _size(size, measured) for size in measured.films},
        lanes={lane.name: _lane(lane, measured) for lane in lanes},
        processes=ProcessCosts(
            member_stream_ms=measured.networks.stream_ms,
            supervisor_ms=roles["supervisor"].cores * 1000 / total,
            keeper_ms=_least(roles["keeper"].cores * 1000 - idle_ms) / total,
            keeper_stream_ms=measured.keeper_stream_ms,
            member_mib=roles["member"].mib,
            supervisor_mib=roles["supervisor"].mib,
            keeper_mib=roles["keeper"].mib,
        ),
    )


def _size(size: str, measured: Measured) -> SizeCosts:
    film, decoding = measured.films[size], measured.decodings[size]
    return SizeCosts(
        width=film.size[0],
        height=film.size[1],
        frame_ms=decoding.frame_ms,
        kbit_ms=decoding.kbit_ms,
        window_ms=decoding.window_ms,
        gate_ms=decoding.gate_ms,
        reader_ms_per_s=_reader_ms(measured),
        reader_mib=measured.trial.readers[f"s{size}"].mib,
    )


def _reader_ms(measured: Measured) -> float:
    """What the reader of the long film took in a second, beyond decoding and scaling."""
    decoding, tried = measured.decodings[LONG], measured.trial
    frames = tried.frames[f"s{LONG}"]
    known_ms = frames * (decoding.frame_ms + decoding.kbit * decoding.kbit_ms) + sum(
        tried.windows[name] / len(measured.films) * window_ms
        for name, window_ms in decoding.window_ms.items()
    )
    return _least(tried.readers[f"s{LONG}"].cores * 1000 - known_ms)


def _lane(lane: Lane, measured: Measured) -> LaneCosts:
    known = {config.name: config for config in RunConfig().lanes}
    config, network = known[lane.name], measured.networks.lanes[lane.name]
    fixed = not hasattr(config, "rate_hz")
    if not fixed:
        rate = PLANNED_FPS
    elif isinstance(config, SoundLane):
        rate = 1 / config.hop_s
    else:
        rate = float(lane.card.preprocessing["rate_hz"])
    return LaneCosts(
        medium=lane.medium,
        rate_hz=rate,
        rate_is_fixed=fixed,
        batch=lane.batch,
        call_ms=network.call_ms,
        full_ms=network.full_ms,
        journey_ms=network.journey_ms,
        row_bytes=measured.trial.row_bytes[lane.name],
    )


def _least(value: float) -> float:
    """What is left over: two measurements that differ by chance leave less than nothing."""
    return max(0.0, value)


def this_machine() -> Machine:
    """What is measured on."""
    import torch

    from pipeline.media.capabilities import capabilities

    return Machine(
        processor=_processor(),
        hardware_threads=os.cpu_count() or 1,
        date=time.strftime("%Y-%m-%d", time.gmtime()),
        witness=version("witness-av"),
        python=platform.python_version(),
        torch=torch.__version__,
        ffmpeg=capabilities((), ()).ffmpeg,
    )


def _processor() -> str:
    """Its name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


@contextmanager
def others_busy() -> Iterator[None]:
    """Keeps all other processors busy at the lowest priority: a planned machine is busy, too.

    What shares a core or memory with others takes longer than it does alone.
    """
    count = max(0, len(os.sched_getaffinity(0)) - 1) if hasattr(os, "sched_getaffinity") else 0
    fillers = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for filler in fillers:
            filler.kill()
            filler.wait()


@contextmanager
def _shown(console: Console) -> Iterator[tuple[Say, WentOn]]:
    """A bar of everything: about 27 s of work before the streams, on two busy threads."""
    total = len(SIZES) * 5.0 + len(RunConfig().lanes) * 4.0 + 3.0 + TRIAL_S
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("beginning", total=total)
        yield (
            lambda what: bar.update(task, description=what),
            lambda seconds: bar.advance(task, seconds),
        )


def _told(costs: Costs) -> Iterator[str]:
    machine = costs.machine
    yield f"{machine.processor}, {machine.hardware_threads} hardware threads, all of them busy"
    for name, size in costs.sizes.items():
        yield (
            f"{name}: a frame {size.frame_ms:.2f} ms + {size.kbit_ms:.4f} ms a kbit; a reader"
            f" {size.reader_ms_per_s:.0f} ms a second besides, {size.reader_mib:.0f} MiB"
        )
    for name, lane in costs.lanes.items():
        yield f"{name}: {lane.call_ms:.1f} ms a window alone, {lane.full_ms:.1f} ms in a full call"
    processes = costs.processes
    yield (
        f"a window besides: {processes.supervisor_ms:.2f} ms in the supervisor,"
        f" {processes.keeper_ms:.2f} ms in the keeper; a second of a stream"
        f" {processes.keeper_stream_ms:.1f} ms there, {processes.member_stream_ms:.2f} ms in a pool"
        " member"
    )
