"""What so many streams need: pure arithmetic on measured costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.errors import ConfigError
from pipeline.plan.costs import Costs, LaneCosts, ProcessCosts, SizeCosts
from pipeline.run.live.fleet import STREAMS_PER_KEEPER, keepers_for

_Found = TypeVar("_Found")
TYPICAL_KBIT_PER_S = {"360p": 500.0, "720p": 2000.0, "1080p": 4000.0}
TYPICAL_FPS = 15.0
SOUND_KBIT_PER_S = 64.0
STREAMS_PER_WITNESS = 500
"""So many leave a supervisor half a core and more for pipes; docs/scale.md has the figures."""
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be planned.

    `fps` is the rate of lanes that have no rate of their own; a gate withholds the share `gated`
    of what lanes of pictures sample. `kbit_per_s` is what the pictures of a stream have; without
    it, what is typical of the size. Nodes are used up to the share 1 / `headroom`.
    """

    streams: int
    fps: float
    size: str
    camera_fps: float
    lanes: Sequence[str]
    gated: float = 0.0
    kbit_per_s: float | None = None
    headroom: float = 1.3
    cores_per_node: int | None = None
    memory_per_node_gib: float | None = None
    gpu_windows_per_s: float | None = None
    spare: bool = True
    streams_per_witness: int = STREAMS_PER_WITNESS


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes; cores are what processes are expected to use, before any headroom.

    `cores` and `memory_mib` are by role, `windows_per_s` by lane. `members` is how many pool
    members there are to be, `gpus` None where no rate of a GPU was given, `nodes` None where no
    node was described.
    """

    windows_per_s: dict[str, float]
    cores: dict[str, float]
    memory_mib: dict[str, float]
    members: int
    witnesses: int
    gpus: int | None
    wanted_cores: int
    wanted_memory_gib: float
    network_mbit_per_s: float
    disk_gb_per_day: float
    nodes: int | None
    assumptions: tuple[str, ...] = field(default=())

    @property
    def used_cores(self) -> float:
        """What all processes together are expected to use."""
        return sum(self.cores.values())


def plan(wish: Wish, costs: Costs) -> Plan:
    """What the wish takes by these costs; ConfigError for sizes and lanes that nobody measured."""
    size = _known(costs.sizes, wish.size, "--size")
    lanes = {name: _known(costs.lanes, name, "--lanes") for name in wish.lanes}
    rates = {name: lane_rate(wish, lane) for name, lane in lanes.items()}
    windows = {
        name: rate * passed(wish, lanes[name]) * wish.streams for name, rate in rates.items()
    }
    processes = costs.processes
    full = {name: lane.full_ms for name, lane in lanes.items()}
    alone = {name: lane.call_ms for name, lane in lanes.items()}
    gpus = None
    if wish.gpu_windows_per_s:
        gpus = math.ceil(sum(windows.values()) * wish.headroom / wish.gpu_windows_per_s)
        full = alone = {name: lane.journey_ms for name, lane in lanes.items()}
    least, most = (members_cores(wish, processes, windows, each) for each in (full, alone))
    members = gpus or max(1, math.ceil(least * wish.headroom))
    total = sum(windows.values())
    cores = {
        "readers": wish.streams * reader_cores(wish, size, lanes, rates),
        "pool members": max(least, min(most, float(members))),
        "supervisor": total * processes.supervisor_ms / 1000,
        "keeper": (total * processes.keeper_ms + wish.streams * processes.keeper_stream_ms) / 1000,
    }
    # A supervisor is one process, and does no more than one core does; so is each of its keepers.
    busiest = cores["supervisor"] * wish.headroom
    witnesses = math.ceil(max(wish.streams / wish.streams_per_witness, busiest))
    keepers = witnesses * keepers_for(math.ceil(wish.streams / witnesses))
    keepers = max(keepers, math.ceil(cores["keeper"] * wish.headroom))
    standing_by = witnesses if wish.spare else 0
    memory = {
        "readers": wish.streams * size.reader_mib,
        "pool members": (members + standing_by) * processes.member_mib,
        "supervisor": witnesses * processes.supervisor_mib,
        "keeper": (keepers + witnesses) * processes.keeper_mib,
    }
    others = cores["readers"] + cores["supervisor"] + cores["keeper"]
    wanted_cores = math.ceil(others * wish.headroom) + members
    wanted_gib = sum(memory.values()) * wish.headroom / 1024
    return Plan(
        windows_per_s=windows,
        cores=cores,
        memory_mib=memory,
        members=members,
        witnesses=witnesses,
        gpus=gpus,
        wanted_cores=wanted_cores,
        wanted_memory_gib=wanted_gib,
        network_mbit_per_s=wish.streams * (kbit_per_s(wish) + _sound(lanes)) / 1000,
        disk_gb_per_day=_disk_gb(lanes, windows),
        nodes=nodes(wish, wanted_cores, wanted_gib),
        assumptions=tuple(assumptions(wish, costs, lanes, rates)),
    )


def lane_rate(wish: Wish, lane: LaneCosts) -> float:
    """Windows a second of a stream, before any gate."""
    return lane.rate_hz if lane.rate_is_fixed else wish.fps


def passed(wish: Wish, lane: LaneCosts) -> float:
    """The share of a lane's windows that no gate withholds."""
    return 1 - wish.gated if lane.medium == "video" else 1.0


def kbit_per_s(wish: Wish) -> float:
    """What the pictures of a stream have."""
    if wish.kbit_per_s is not None:
        return wish.kbit_per_s
    return TYPICAL_KBIT_PER_S[wish.size] * wish.camera_fps / TYPICAL_FPS


def reader_cores(
    wish: Wish, size: SizeCosts, lanes: Mapping[str, LaneCosts], rates: Mapping[str, float]
) -> float:
    """What the reader of one stream uses; without lanes of pictures it decodes none."""
    ms = size.reader_ms_per_s
    watched = {name: rate for name, rate in rates.items() if lanes[name].medium == "video"}
    if watched:
        ms += wish.camera_fps * size.frame_ms + kbit_per_s(wish) * size.kbit_ms
    for name, rate in watched.items():
        ms += rate * passed(wish, lanes[name]) * size.window_ms.get(name, 0.0)
        if wish.gated:
            ms += rate * size.gate_ms
    return ms / 1000


def members_cores(
    wish: Wish,
    processes: ProcessCosts,
    windows: Mapping[str, float],
    window_ms: Mapping[str, float],
) -> float:
    """What pool members use, at so many ms a window of each lane."""
    ms = sum(rate * window_ms[name] for name, rate in windows.items())
    return (ms + wish.streams * processes.member_stream_ms) / 1000


def nodes(wish: Wish, cores: int, memory_gib: float) -> int | None:
    """How many nodes of the described kind; None where none was described."""
    wanted = []
    if wish.cores_per_node:
        wanted.append(math.ceil(cores / wish.cores_per_node))
    if wish.memory_per_node_gib:
        wanted.append(math.ceil(memory_gib / wish.memory_per_node_gib))
    return max(wanted) if wanted else None


def assumptions(
    wish: Wish, costs: Costs, lanes: Mapping[str, LaneCosts], rates: Mapping[str, float]
) -> list[str]:
    """Everything that the plan takes for granted, a sentence each."""
    machine = costs.machine
    told = [
        f"costs measured on {machine.date} on {machine.processor}, {machine.hardware_threads}"
        " hardware threads, all of them busy; a core here is one such thread",
        f"H.264 at {wish.camera_fps:g} frames a second, {kbit_per_s(wish):,.0f} kbit/s"
        + ("" if wish.kbit_per_s is not None else " (taken as typical: name yours, --bitrate)"),
    ]
    for name, lane in lanes.items():
        why = "its network's own" if lane.rate_is_fixed else "--fps"
        told.append(f"lane {name}: {rates[name]:g} windows a second of a stream ({why})")
    if wish.gated and any(lane.medium == "video" for lane in lanes.values()):
        told.append(f"a motion gate withholds {wish.gated:.0%} of the sampled pictures (--gated)")
    told.append(
        "networks that ship, one thread a pool member; with as many members as are planned"
        " their calls hold full batches at the peak"
        if wish.gpu_windows_per_s is None
        else f"a GPU answers {wish.gpu_windows_per_s:g} windows a second of this mixture: as you"
        " say, nothing was measured on one; each has one pool member"
    )
    told += [
        f"headroom {wish.headroom:g}: processors and memory are used to 1/{wish.headroom:g}",
        f"at most {wish.streams_per_witness} streams a witness (--streams-per-witness), and no more"
        f" than one core for its supervisor; a keeper for every {STREAMS_PER_KEEPER}, and one more"
        " that stands by",
        "on the disk: as many events as in the clip that ships, uncompressed, no pictures",
    ]
    return told


def _known(there: Mapping[str, _Found], name: str, option: str) -> _Found:
    if name not in there:
        message = f"{option} {name}: measured are {', '.join(there)}"
        raise ConfigError(message)
    return there[name]


def _sound(lanes: Mapping[str, LaneCosts]) -> float:
    """Sound comes with the pictures where a lane listens."""
    return SOUND_KBIT_PER_S if any(lane.medium == "audio" for lane in lanes.values()) else 0.0


def _disk_gb(lanes: Mapping[str, LaneCosts], windows: Mapping[str, float]) -> float:
    return sum(rate * lanes[name].row_bytes for name, rate in windows.items()) * DAY_S / 1e9
