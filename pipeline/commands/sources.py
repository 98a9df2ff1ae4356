"""`witness sources check`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.config.load import load_fleet
from pipeline.config.streams import StreamConfig
from pipeline.errors import ConfigError
from pipeline.media.address import LiveAddress
from pipeline.media.tryout import Tryout, tryout
from pipeline.records import StreamInfo

GOOD, USAGE, SOURCE_FAILED = 0, 2, 3
AT_ONCE = 8
START_S = 10.0
"""What a process may take to start, beside the source's own time-outs."""


def check_command(file: Path, only: str | None) -> int:
    """0 when every stream came, 3 when one did not, 2 for a file that is wrong."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        streams = _chosen(file, only)
    except ConfigError as error:
        console.print(f"[red]error[/] {escape(str(error))}")
        return USAGE
    addresses = {name: stream.address() for name, stream in streams.items()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        came = pool.map(bounded_tryout, addresses.values(), addresses)
        tries = dict(zip(addresses, came, strict=True))
    Console().print(_table(tries))
    for name, tried in tries.items():
        for line in _told(name, tried):
            console.print(line)
    return SOURCE_FAILED if any(tried.failure for tried in tries.values()) else GOOD


def bounded_tryout(address: LiveAddress, name: str) -> Tryout:
    """What came of a try in a process of its own, which is killed when it takes too long."""
    most_s = 2 * address.open_timeout_s + address.read_timeout_s + address.stall_s
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_send_tryout, args=(its, address, name), daemon=True)
    process.start()
    its.close()
    try:
        if mine.poll(START_S + most_s):
            tried: Tryout = mine.recv()
            return tried
        return Tryout(failure=f"{address.shown}: it hung, and was given up after {most_s:g} s")
    except EOFError:
        return Tryout(failure=f"{address.shown}: the process that tried it died")
    finally:
        process.kill()
        process.join()
        mine.close()


def _send_tryout(to: Connection, address: LiveAddress, name: str) -> None:
    to.send(tryout(address, name))


def _chosen(file: Path, only: str | None) -> dict[str, StreamConfig]:
    streams = load_fleet(file).complete_streams()
    if not streams:
        message = f"{file}: it names no streams; put some under `streams:`"
        raise ConfigError(message)
    if only is None:
        return streams
    if only not in streams:
        message = f"--only {only}: there is no such stream; there are {', '.join(streams)}"
        raise ConfigError(message)
    return {only: streams[only]}


def _table(tries: dict[str, Tryout]) -> Table:
    table = Table()
    for column in ("stream", "", "packet", "picture", "pictures", "sound"):
        table.add_column(column, overflow="fold")
    for name, tried in tries.items():
        state = "[red]failed[/]" if tried.failure else "[green]ok[/]"
        waits = [f"{wait:.2f} s" if wait else "" for wait in (tried.packet_s, tried.picture_s)]
        table.add_row(escape(name), state, *waits, *_media(tried.info))
    return table


def _media(info: StreamInfo | None) -> tuple[str, str]:
    if info is None:
        return "", ""
    pictures = sound = "none"
    if info.video is not None:
        rate = info.video.rate_from_header
        per_s = f", {float(rate):g} a s" if rate is not None else ""
        pictures = f"{info.video.codec} {info.video.width}x{info.video.height}{per_s}"
    if info.audio is not None:
        sound = f"{info.audio.codec} {info.audio.sample_rate} Hz {info.audio.layout}"
    return pictures, sound


def _told(name: str, tried: Tryout) -> Iterator[str]:
    if tried.failure:
        yield f"[red]{escape(name)}[/]: {escape(tried.failure)}"
    for note in tried.notes:
        yield f"[yellow]{escape(name)}[/]: {escape(note)}"
