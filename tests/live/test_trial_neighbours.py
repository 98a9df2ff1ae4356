"""One stream goes from fault to fault; its neighbours lose nothing and are not later for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.live.conftest import Footage
from tests.live.faults import NAMES, Unlucky
from tests.live.footage import Clock
from tests.live.lanes import number_lane
from tests.live.load import quantiles
from tests.live.servers import RtspServer
from tests.live.watching import FULL, Watching, report

pytestmark = [pytest.mark.slow, pytest.mark.soak]

HEALTHY = 15 if FULL else 3
RUN_S = 600.0 if FULL else 21.0
FAULT_S = 5.0 if FULL else 1.5
CALM_S = 5.0 if FULL else 1.5
# Two runs of some seconds beside other work differ by more than the full form allows.
LATER = 0.1 if FULL else 1.0
LEAST_S = 0.05
# Every fifth frame of fifteen a second, or every third of them.
STEP = 5 if FULL else 3


def test_neighbours_do_not_notice(street: Footage, tmp_path: Path) -> None:
    calm = run(street, tmp_path / "calm", faults=False)
    rough = run(street, tmp_path / "rough", faults=True)
    report("neighbours", {"healthy": HEALTHY, "fault_free": calm, "beside_faults": rough})
    assert rough["missing"] == calm["missing"] == 0
    assert rough["delay_s"]["p99"] <= (1 + LATER) * calm["delay_s"]["p99"] + LEAST_S


def run(street: Footage, out: Path, *, faults: bool) -> dict[str, object]:
    """Frames that the healthy streams missed, and how late their events were."""
    names = [f"s{number:02}" for number in range(HEALTHY)]
    lanes = [number_lane(rate_hz=street.clip.rate / STEP)]
    delays: list[float] = []
    mounts = {f"/{name}": {"feed": street.feed} for name in names}
    # A camera is a machine of its own: what it takes to start again is not to be taken from ours.
    sick = RtspServer({"/sick": {"feed": street.feed}}, prefix=["nice", "-n", "19"])
    with (
        RtspServer(mounts) as server,
        Unlucky(sick, seed=3) as unlucky,
        Watching(out, lanes=lanes) as watching,
    ):
        clock = Clock(street.clip, server.epoch)
        for name in names:
            watching.add(name, server.url(f"/{name}"))
        watching.add("sick", unlucky.url("/sick"))
        watching.until(watching.plays(*names, "sick"))
        watching.run_for(3)

        def written(stream: str, new: list[float]) -> None:
            if stream != "sick":
                delays.extend(new)

        watching.metrics.written = written  # type: ignore[method-assign, assignment]
        for turn in range(int(RUN_S / (FAULT_S + CALM_S))):
            if faults:
                watching.beside(partial(unlucky.hurt, NAMES[turn % len(NAMES)]))
            watching.run_for(FAULT_S)
            watching.beside(unlucky.heal)
            watching.run_for(CALM_S)
        watching.end()
    lefts = [watching.of(name, clock) for name in names]
    for left in lefts:
        left.check()
        assert not left.gaps()
    watching.of("sick").check_books()
    missing = sum(round((b.number - a.number) / STEP) - 1 for left in lefts for a, b in left.holes)
    return {"missing": missing, "delay_s": quantiles(delays), "faults": len(unlucky.hurts)}
