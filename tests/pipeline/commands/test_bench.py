"""`witness bench`: what it measures, and how it is put together."""

from pathlib import Path

import pytest

from pipeline.commands.bench import Measured, assembled, shipped_lanes, this_machine
from pipeline.commands.request import example
from pipeline.plan.books import keeper_ms
from pipeline.plan.films import Decoding, Film, decoding, make
from pipeline.plan.networks import Network, Networks, networks
from pipeline.plan.sizing import Wish, plan
from pipeline.plan.trial import Trial, Use, trial

LANES, STREET = shipped_lanes(), example("street.mp4")


def measured() -> Measured:
    """One stream of 360p, in round numbers."""
    windows = {"action": 5.0, "instances": 2.0, "sound": 2.0}
    return Measured(
        lanes=LANES,
        films={"360p": Film(Path("film.mp4"), (640, 360))},
        decodings={"360p": Decoding(10.0, 0.8, 0.02, {"action": 1.0, "instances": 2.0}, 0.3)},
        networks=Networks({name: Network(25.0, 9.0, 1.0) for name in windows}, stream_ms=3.0),
        trial=Trial(
            seconds=10.0,
            frames={"s360p": 15.0},
            readers={"s360p": Use(0.044, 40.0)},
            roles={
                "member": Use(0.2, 300.0),
                "supervisor": Use(0.018, 200.0),
                "keeper": Use(0.009, 50.0),
            },
            windows=windows,
            row_bytes=dict.fromkeys(windows, 100.0),
        ),
        keeper_stream_ms=4.5,
    )


def test_what_a_run_takes_beyond_what_is_known_goes_to_who_took_it() -> None:
    costs = assembled(measured())
    size = costs.sizes["360p"]
    # 44 ms, less 15 frames of 0.8 + 10 x 0.02, 5 windows of 1 and 2 of 2.
    assert size.reader_ms_per_s == pytest.approx(20.0)
    assert costs.processes.supervisor_ms == pytest.approx(2.0)
    assert costs.processes.keeper_ms == pytest.approx(0.5)


def test_a_plan_for_what_was_measured_predicts_it() -> None:
    wish = Wish(1, 2.0, "360p", 15.0, ("action", "instances", "sound"), kbit_per_s=150.0)
    found = plan(wish, assembled(measured()))
    assert found.cores == pytest.approx(
        {"readers": 0.044, "pool members": 0.228, "supervisor": 0.018, "keeper": 0.009}
    )


def test_lanes_have_the_rates_of_their_networks() -> None:
    lanes = assembled(measured()).lanes
    assert {name: lane.rate_hz for name, lane in lanes.items()} == {
        "action": 5.0,
        "instances": 2.0,
        "sound": 2.0,
    }
    assert [name for name, lane in lanes.items() if not lane.rate_is_fixed] == ["instances"]


def test_the_machine_says_what_it_is() -> None:
    machine = this_machine()
    assert machine.processor
    assert machine.hardware_threads >= 1
    assert machine.ffmpeg


@pytest.mark.slow
def test_everything_is_really_measured(tmp_path: Path) -> None:
    fine = make(STREET, tmp_path / "fine.mp4", (320, 180), 45, 24)
    coarse = make(STREET, tmp_path / "coarse.mp4", (320, 180), 45, 40)
    found = decoding(fine, coarse, LANES)
    assert found.frame_ms >= 0
    assert found.kbit_ms >= 0
    assert found.frame_ms + found.kbit_ms > 0
    assert set(found.window_ms) == {"action", "instances"}
    sound = [lane for lane in LANES if lane.name == "sound"]
    found_networks = networks(STREET, sound)
    network = found_networks.lanes["sound"]
    assert network.call_ms > network.journey_ms > 0
    assert found_networks.stream_ms > 0
    tried = trial({"s360p": fine.path}, sound, tmp_path / "out", 2.0)
    assert tried.readers["s360p"].cores > 0
    assert tried.readers["s360p"].mib > 1
    assert tried.roles["member"].mib > 50
    assert tried.windows["sound"] > 0.5
    assert keeper_ms(LANES, tmp_path / "books") > 0
