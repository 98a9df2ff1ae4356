"""The dashboard of the networks and of the processes that have them loaded."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from deploy.grafana.frame import Row, alerts, framed, some
from deploy.grafana.limits import ANY, BUSY, LOADED, SOME
from deploy.grafana.panels import (
    About,
    Ask,
    Column,
    graph,
    heat,
    labels_of,
    levels,
    number,
    rows_of,
    small,
)
from deploy.grafana.queries import RANGE, buckets, grown, of, quantile, rate, some_of, total

HERE = {"instance": "~$instance"}
LANE = HERE | {"lane": "~$lane"}
UTILISATION = (
    f"{total('instance', rate('pool_busy_seconds', **HERE))} / "
    f"sum by (instance) ({of('pool_members_ready', **HERE)})"
)

MODEL = {
    "instance": "Witness",
    "lane": "Lane",
    "name": "Network",
    "sha256": "SHA-256",
    "runtime": "Runtime",
    "device": "Device",
}
BUILD = {
    "instance": "Witness",
    "witness": "Version",
    "engine": "Engine",
    "python": "Python",
    "torch": "PyTorch",
    "av": "PyAV",
    "ray": "Ray",
}
WIDE = 4


def pools() -> Dashboard:
    """Networks, pool members, and what they take of the machines."""
    return framed(
        "witness-pools",
        "witness: models and pools",
        "Where the time goes between a packet and an event, and how busy the networks are.",
        variables=[
            some("instance", "Witness", of("build")),
            some("lane", "Lane", of("lane_ready", instance="~$instance")),
        ],
        marks=[alerts('stream=""')],
        rows=[_now(), _stages(), _batches(), _members(), _machines(), _what_runs()],
    )


def _now() -> Row:
    return Row(
        "Now",
        [
            number(
                small("Members that answer", "Pool members that are ready.", width=WIDE),
                Ask(f"sum({of('pool_members_ready', **HERE)})"),
            ),
            number(
                small("Members missing", "Pool members wanted and not ready.", width=WIDE),
                Ask(f"sum({of('pool_members', **HERE)}) - sum({of('pool_members_ready', **HERE)})"),
                steps=ANY,
            ),
            number(
                small(
                    "Busy",
                    "Share of their time that members spend in networks.",
                    units.PercentUnit,
                    width=WIDE,
                    decimals=0,
                ),
                Ask(f"max({UTILISATION})"),
                steps=BUSY,
            ),
            *_waits(),
        ],
    )


def _waits() -> list[Builder[Panel]]:
    """What waits, and who had to be replaced."""
    return [
        number(
            small("Windows that wait", "For a pool member, of all lanes.", width=WIDE),
            Ask(f"sum({of('queued_windows', **LANE)})"),
        ),
        number(
            small(
                "Lanes without networks",
                "Lanes whose networks are not loaded yet.",
                width=WIDE,
            ),
            Ask(f"count({of('lane_ready', **LANE)}) - sum({of('lane_ready', **LANE)})"),
            steps=SOME,
        ),
        number(
            small(
                "Processes replaced",
                "Pool members and keepers, in the time that is shown.",
                width=WIDE,
                decimals=0,
            ),
            Ask(
                f"({total('', grown('pool_members_lost', RANGE, **HERE))} or vector(0)) + "
                f"({total('', grown('keepers_lost', RANGE, **HERE))} or vector(0))"
            ),
            steps=SOME,
        ),
    ]


def _stages() -> Row:
    by = "stage, lane"
    told = (
        "Time of a batch in one stage: queue (it waits for a member), predict (the network), "
        "settle (events are made of it), sink (they are written)."
    )
    return Row(
        "Where the time goes",
        [
            graph(
                About("Half of the batches take less", told, "s", 8),
                Ask(quantile(0.5, "stage_seconds", by, **LANE), "{{lane}}: {{stage}}"),
            ),
            graph(
                About("19 of 20 batches take less", told, "s", 8),
                Ask(quantile(0.95, "stage_seconds", by, **LANE), "{{lane}}: {{stage}}"),
            ),
            graph(
                About("Time by stage", f"Seconds spent each second. {told}", "short", 8),
                Ask(total("stage", rate("stage_seconds", "_sum", **LANE)), "{{stage}}"),
                stacked=True,
            ),
        ],
    )


def _batches() -> Row:
    windows = total("lane", rate("batch_windows", "_sum", **LANE))
    calls = total("lane", rate("batch_windows", "_count", **LANE))
    return Row(
        "Batches",
        [
            graph(
                About("Windows in a batch", "Mean over the calls of a network.", "short", 6),
                Ask(f"{windows} / {calls}", "{{lane}}"),
            ),
            heat(
                About("Windows in a batch, spread", "Darker is more calls.", "short", 6),
                buckets("batch_windows", **LANE),
            ),
            graph(
                About("Windows each second", "That went through networks.", "suffix:/s", 6),
                Ask(windows, "{{lane}}"),
                stacked=True,
            ),
            graph(
                About("Windows that wait", "For a pool member.", "short", 6),
                Ask(total("lane", of("queued_windows", **LANE)), "{{lane}}"),
                stacked=True,
            ),
        ],
    )


def _members() -> Row:
    return Row(
        "Pool members",
        [
            graph(
                About(
                    "Busy",
                    "Share of their time that members spend in networks; near 1 the queue grows.",
                    units.PercentUnit,
                    8,
                ),
                Ask(UTILISATION, "{{instance}}"),
                steps=BUSY,
            ),
            graph(
                About("Members", "Pool members wanted, and those that answer.", "short", 8),
                Ask(f"sum({of('pool_members', **HERE)})", "wanted"),
                Ask(f"sum({of('pool_members_ready', **HERE)})", "ready"),
            ),
            graph(
                About("Processes replaced", "Pool members and keepers, by reason.", "short", 8),
                Ask(some_of("reason", "pool_members_lost", **HERE), "member: {{reason}}"),
                Ask(some_of("reason", "keepers_lost", **HERE), "keeper: {{reason}}"),
                bars=True,
            ),
        ],
    )


def _machines() -> Row:
    by = "instance, role"
    legend = "{{instance}} {{role}}"
    used = total("instance, device", of("device_memory_bytes", **HERE))
    size = total("instance, device", of("device_memory_size_bytes", **HERE))
    return Row(
        "What it takes of the machines",
        [
            graph(
                About("Processor", "Cores that processes of a role keep busy.", "short", 8),
                Ask(total(by, rate("process_cpu_seconds", **HERE)), legend),
                stacked=True,
            ),
            graph(
                About("Memory", "Of processes' own, by role.", units.BytesIEC, 8),
                Ask(total(by, of("process_memory_bytes", **HERE)), legend),
                stacked=True,
            ),
            levels(
                About("Memory of devices", "In use, of what each has.", units.PercentUnit, 8),
                Ask(f"{used} / {size}", "{{instance}} {{device}}"),
                steps=BUSY,
                highest=1,
            ),
            graph(
                About("Processes", "Running now, by role.", "short", 12, 7),
                Ask(total(by, of("processes", **HERE)), legend),
            ),
            graph(
                About("Open files", "Descriptors open, by role.", "short", 12, 7),
                Ask(total(by, of("process_descriptors", **HERE)), legend),
            ),
        ],
    )


def _what_runs() -> Row:
    return Row(
        "What runs",
        [
            rows_of(
                About("Lanes", "Whether their networks are loaded.", "short", 4, 6),
                "lane",
                "Lane",
                [Column("State", f"min by (lane) ({of('lane_ready', **LANE)})", words=LOADED)],
                sort="State",
            ),
            labels_of(
                About("Models", "Which network serves which lane.", "short", 10, 6),
                of("model", **LANE),
                MODEL,
                ("page",),
            ),
            labels_of(
                About("Builds", "Versions that run.", "short", 10, 6),
                of("build", **HERE),
                BUILD,
                ("page",),
            ),
        ],
    )
