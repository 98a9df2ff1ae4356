"""The commands before streams are watched: a file to begin with, costs, and a plan.

As in `cli.py`, nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[Path, typer.Argument(help="The file of streams to write.")] = Path(
        "streams.yaml"
    ),
    url: Annotated[
        str | None, typer.Option(help="The first camera, or a video file that plays for ever.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the stream is called.")] = None,
    user: Annotated[str | None, typer.Option(help="Who logs in there.")] = None,
    password_env: Annotated[
        str | None, typer.Option(help="The environment variable that will hold the password.")
    ] = None,
    lanes: Annotated[
        str | None, typer.Option(help="What looks at it: `action,instances,sound`.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where results will go.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: the defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
) -> None:
    """Asks a few questions and writes a file of streams with comments, to begin with.

    No password is asked for: the file names the environment variable that holds it.

    Example: `witness init yard.yaml --url rtsp://192.168.1.20/main --user viewer --yes`

    Exit code 2 when FILE is there already, or when an answer cannot be.
    """
    from pipeline.commands.init import Answers, init_command

    said = Answers(
        url=url,
        name=name,
        user=user,
        password_env=password_env,
        lanes=lanes,
        out=str(out) if out else None,
    )
    sys.exit(init_command(file, said, ask=not yes, force=force))


def bench(
    out: Annotated[
        Path | None, typer.Option("--json", help="A file for the costs; `plan` reads it.")
    ] = None,
) -> None:
    """Measures what streams cost on this machine, in about a minute: for `witness plan`.

    All processors are kept busy meanwhile, as those of a machine with many streams are.

    Example: `witness bench --json costs.json`
    """
    from pipeline.commands.bench import bench_command

    sys.exit(bench_command(out))


def plan(
    streams: Annotated[int, typer.Option(min=1, help="How many streams.")],
    fps: Annotated[
        float, typer.Option(min=0.01, help="Pictures a second that are looked at.")
    ] = 2.0,
    size: Annotated[str, typer.Option(help="Of the pictures: 360p, 720p or 1080p.")] = "1080p",
    camera_fps: Annotated[
        float, typer.Option(min=0.01, help="Pictures a second that come.")
    ] = 15.0,
    lanes: Annotated[str, typer.Option(help="Which look at them.")] = "action,instances,sound",
    gated: Annotated[
        float, typer.Option(min=0, max=1, help="The share of pictures that a gate withholds.")
    ] = 0.0,
    bitrate: Annotated[
        float | None, typer.Option(min=1, help="kbit/s of a stream's pictures; else typical ones.")
    ] = None,
    headroom: Annotated[
        float, typer.Option(min=1, help="So many times what is used is to be there.")
    ] = 1.3,
    cores_per_node: Annotated[
        int | None, typer.Option(min=1, help="Of the machines that you could have.")
    ] = None,
    memory_per_node: Annotated[
        float | None, typer.Option(min=0.1, help="GiB of the machines that you could have.")
    ] = None,
    gpu_windows_per_s: Annotated[
        float | None,
        typer.Option(min=0.1, help="What a GPU of yours answers: networks run there, then."),
    ] = None,
    spare: Annotated[
        bool, typer.Option(help="A pool member more stands by, as `pool.spare` says.")
    ] = True,
    streams_per_witness: Annotated[
        int | None, typer.Option(min=1, help="How many one witness shall have; see docs/scale.md.")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(help="What `witness bench` wrote; else what we measured.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tells which processors, memory, network and disk so many streams need, and what it assumes.

    Example: `witness plan --streams 200 --size 1080p --lanes instances,sound --gated 0.8`

    Exit code 2 for a size, a lane or costs that nobody measured.
    """
    from pipeline.commands.plan import plan_command
    from pipeline.plan.sizing import STREAMS_PER_WITNESS, Wish

    wish = Wish(
        streams=streams,
        fps=fps,
        size=size,
        camera_fps=camera_fps,
        lanes=tuple(part.strip() for part in lanes.split(",") if part.strip()),
        gated=gated,
        kbit_per_s=bitrate,
        headroom=headroom,
        cores_per_node=cores_per_node,
        memory_per_node_gib=memory_per_node,
        gpu_windows_per_s=gpu_windows_per_s,
        spare=spare,
        streams_per_witness=streams_per_witness or STREAMS_PER_WITNESS,
    )
    sys.exit(plan_command(wish, costs, as_json=as_json))


def add_to(app: typer.Typer) -> None:
    """Gives the command line these commands."""
    app.command()(init)
    app.command()(bench)
    app.command()(plan)
