"""`witness probe`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError, LaneError, SourceError
from pipeline.lanes.windowing import fit_short_side
from pipeline.media.probe import probe
from pipeline.records import StreamInfo
from pipeline.run.job import build_lanes

GOOD, USAGE, SOURCE_FAILED = 0, 2, 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a lane would do with a source; `able` is False when its weights are missing."""

    lane: str
    network: str
    does: str
    able: bool = True


def probe_command(source: str, config_file: Path | None) -> int:
    """0, or 2 for a config that cannot be run, or 3 for a source that cannot be read."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        config = _config(config_file)
        info = probe(source)
    except (ConfigError, SourceError) as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE if isinstance(error, ConfigError) else SOURCE_FAILED
    for table in (_facts(info), _plans(plans := list(plan(info, config)))):
        Console().print(table)
    console.print(f"outputs: {', '.join(config.outputs)}")
    return GOOD if all(one.able for one in plans) else USAGE


def plan(info: StreamInfo, config: RunConfig) -> Iterator[Plan]:
    """What each lane of the config would do with a source, in the config's order."""
    for lane_config in config.lanes:
        alone = config.model_copy(update={"lanes": (lane_config,)})
        try:
            (lane,) = build_lanes(alone, "cpu", offline=True)
        except LaneError as error:
            yield Plan(lane_config.name, "none", f"cannot run: {error}", able=False)
            continue
        settings = {**lane.card.preprocessing, **lane_config.model_dump()}
        network = f"{lane.card.name} ({', '.join(lane.card.labels)})"
        if lane.medium not in info.media:
            missing = "pictures" if lane.medium == "video" else "sound"
            yield Plan(lane.name, network, f"stays idle: the source has no {missing}")
        elif lane.medium == "video":
            yield Plan(lane.name, network, _watches(info, settings))
        else:
            yield Plan(lane.name, network, _listens(info, settings))


def _config(path: Path | None) -> RunConfig:
    if path is None:
        return RunConfig()
    from pipeline.config.load import load_config

    return load_config(path)


def _watches(info: StreamInfo, settings: dict[str, Any]) -> str:
    video = info.video
    assert video is not None
    said = []
    if "rate_hz" in settings:
        wanted, rate = Fraction(settings["rate_hz"]), video.rate_from_header
        every = rate is not None and rate <= wanted
        said.append("looks at every frame" if every else f"looks at {float(wanted):g} frames a s")
        if rate is not None and not every:
            said[-1] += f" of {float(rate):g}"
    if "width" in settings and "height" in settings:
        said.append(f"scaled to {settings['width']}x{settings['height']}")
    elif "min_size" in settings:
        width, height = fit_short_side(int(settings["min_size"]))(video.width, video.height)
        said.append(f"scaled to {width}x{height}")
    return ", ".join(said)


def _listens(info: StreamInfo, settings: dict[str, Any]) -> str:
    audio = info.audio
    assert audio is not None
    said = []
    if "sample_rate" in settings:
        said.append(f"hears mono at {settings['sample_rate']} Hz of {audio.sample_rate}")
    if "hop" in settings and "sample_rate" in settings:
        said.append(f"says a label every {settings['hop'] / settings['sample_rate']:g} s")
    if "hop_s" in settings:
        said.append(f"{settings['hop_s']:g} s at a time")
    return ", ".join(said)


def _facts(info: StreamInfo) -> Table:
    table = Table(title=escape(info.source), title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    claimed = info.duration_from_header
    length = "not stated (a live stream, or a file without an index)"
    table.add_row("container", info.container)
    table.add_row("duration", f"{float(claimed):.3f} s" if claimed is not None else length)
    table.add_row("video", _video(info))
    table.add_row("audio", _audio(info))
    return table


def _video(info: StreamInfo) -> str:
    video = info.video
    if video is None:
        return "none"
    rate = video.rate_from_header
    said = [video.codec, f"{video.width}x{video.height}"]
    said.append(f"{float(rate):g} frames a s" if rate is not None else "rate not stated")
    said.append(f"time base {video.time_base}")
    if video.rotation_degrees:
        said.append(f"shown turned by {video.rotation_degrees} degrees")
    return ", ".join(said)


def _audio(info: StreamInfo) -> str:
    audio = info.audio
    if audio is None:
        return "none"
    return f"{audio.codec}, {audio.sample_rate} Hz, {audio.layout}, time base {audio.time_base}"


def _plans(plans: list[Plan]) -> Table:
    table = Table(title="What witness would do", title_justify="left")
    for column in ("lane", "network", "does"):
        table.add_column(column, overflow="fold")
    for one in plans:
        colour = "" if one.able else "[red]"
        table.add_row(escape(one.lane), escape(one.network), colour + escape(one.does))
    return table
