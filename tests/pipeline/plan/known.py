"""Costs in round numbers, so that plans can be worked out by hand."""

from pipeline.plan.costs import Costs, LaneCosts, Machine, ProcessCosts, SizeCosts

COSTS = Costs(
    machine=Machine(
        processor="an abacus",
        hardware_threads=2,
        date="2026-01-01",
        witness="0",
        python="3",
        torch="2",
        ffmpeg="8",
    ),
    sizes={
        "360p": SizeCosts(
            width=640,
            height=360,
            frame_ms=1.0,
            kbit_ms=0.01,
            window_ms={"instances": 2.0},
            gate_ms=0.5,
            reader_ms_per_s=10.0,
            reader_mib=40.0,
        )
    },
    lanes={
        "instances": LaneCosts(
            medium="video",
            rate_hz=2.0,
            rate_is_fixed=False,
            batch=4,
            call_ms=100.0,
            full_ms=50.0,
            journey_ms=3.0,
            row_bytes=1000.0,
        ),
        "sound": LaneCosts(
            medium="audio",
            rate_hz=2.0,
            rate_is_fixed=True,
            batch=4,
            call_ms=10.0,
            full_ms=10.0,
            journey_ms=1.0,
            row_bytes=0.0,
        ),
    },
    processes=ProcessCosts(
        member_stream_ms=1.0,
        supervisor_ms=2.0,
        keeper_ms=0.5,
        keeper_stream_ms=4.0,
        member_mib=300.0,
        supervisor_mib=200.0,
        keeper_mib=50.0,
    ),
)
