"""The commands about offline jobs: their results, and questions to them.

As in `cli.py`, nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import (
    ConfigOption,
    Device,
    DeviceOption,
    Engine,
    LanesOption,
    MetricsPort,
    OfflineOption,
)

if TYPE_CHECKING:
    from pipeline.batch.also import Form


class AnswerFormat(StrEnum):
    """How an answer is written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Scan(StrEnum):
    """Which pictures are decoded."""

    auto = "auto"
    off = "off"
    keyframes = "keyframes"
    packets = "packets"
    vectors = "vectors"


class Partition(StrEnum):
    """Into which folders results are laid."""

    source = "source"
    day = "day"


def batch(
    videos: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files, globs, lists (.txt), manifests (.csv, .parquet) or buckets."
        ),
    ],
    out: Annotated[str, typer.Option(help="RESULTS: a folder, or a bucket as s3://name/prefix.")],
    config: ConfigOption = None,
    engine: Annotated[
        Engine, typer.Option(help="`ray`: Ray Data, here or on a cluster; `local`: processes.")
    ] = Engine.ray,
    device: DeviceOption = Device.auto,
    lanes: LanesOption = None,
    workers: Annotated[
        int, typer.Option(min=0, help="How many processes share the work; 0: one a processor.")
    ] = 0,
    cpus: Annotated[
        float, typer.Option(min=0.01, help="What a worker takes of a Ray cluster's processors.")
    ] = 1.0,
    partition: Annotated[
        Partition, typer.Option(help="Into which folders results are laid.")
    ] = Partition.source,
    also: Annotated[
        str, typer.Option(help="Beside the tables: some of `features,jsonl,coco,overlay,report`.")
    ] = "",
    root: Annotated[
        str | None, typer.Option(help="Videos are named by their path below this folder.")
    ] = None,
    scan: Annotated[
        Scan, typer.Option(help="What of the pictures is looked at; `off`: all. See docs/scan.md.")
    ] = Scan.auto,
    audit: Annotated[
        float, typer.Option(min=0, max=1, help="This share of what the scan skips is decoded too.")
    ] = 0.02,
    segment_s: Annotated[
        float, typer.Option(min=1, help="Longer videos are cut into stretches of so many seconds.")
    ] = 300.0,
    stall_s: Annotated[
        float, typer.Option(min=1, help="A video that brings nothing for so long is given up.")
    ] = 60.0,
    timeout_s: Annotated[
        float, typer.Option(min=1, help="So long a video, or a stretch of it, may take.")
    ] = 21_600.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what is to be done, and how long it takes.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first video that fails.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Do again what failed, in whole or in part, before.")
    ] = False,
    metrics_port: MetricsPort = None,
    offline: OfflineOption = False,
) -> None:
    """Runs over many VIDEOS and keeps what was found as tables in RESULTS.

    Killed at any moment and started again, it goes on where it was; what is done is not opened
    again, and the results are those of a run that nobody disturbed.

    Example: `witness batch recordings/ --out results --workers 4`

    Exit code 0 when all videos are done, 3 when some failed (`select * from failures` tells which),
    2 for wrong usage or config, 130 when interrupted.
    """
    from pipeline.commands.batch import BatchRequest, batch_command

    sys.exit(
        batch_command(
            BatchRequest(
                videos=tuple(videos),
                results=out,
                config=config,
                engine=engine.value,
                device=device.value,
                lanes=lanes,
                workers=workers,
                cpus=cpus,
                partition=partition.value,
                also=_forms(also),
                root=root,
                scan=scan.value,
                audit=audit,
                segment_s=segment_s,
                stall_s=stall_s,
                timeout_s=timeout_s,
                dry_run=dry_run,
                fail_fast=fail_fast,
                retry=retry,
                metrics_port=metrics_port,
                offline=offline,
            )
        )
    )


def _forms(also: str) -> tuple[Form, ...]:
    """The forms of `--also`, in one order, for the same job by whatever words."""
    from pipeline.batch.also import FORMS

    wanted = {name.strip() for name in also.split(",") if name.strip()}
    strange = wanted.difference(FORMS)
    if strange:
        message = f"{', '.join(sorted(strange))}: known are {', '.join(FORMS)}"
        raise typer.BadParameter(message, param_hint="--also")
    return tuple(form for form in FORMS if form in wanted)


def query(
    results: Annotated[str, typer.Argument(help="The RESULTS of `witness batch`, or a bucket.")],
    sql: Annotated[str | None, typer.Argument(help="What to ask; nothing: what there is.")] = None,
    answer_format: Annotated[
        AnswerFormat | None, typer.Option("--format", help="Usually a table, or OUT's ending.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file for the answer.")] = None,
) -> None:
    """Asks the results of a job in SQL; without SQL it lists what can be asked.

    Example: `witness query results "select label, count(*) from events group by label"`

    Exit code 2 when the SQL is wrong, 3 when RESULTS cannot be read or OUT not be written.
    """
    from pipeline.commands.query import query_command

    sys.exit(query_command(results, sql, answer_format.value if answer_format else None, out))


def add_to(app: typer.Typer) -> None:
    """Gives the command line these commands."""
    app.command()(batch)
    app.command()(query)
