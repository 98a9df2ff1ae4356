"""Plays a film as a camera would: at its own pace, again and again, to whoever calls.

python examples/camera.py examples/street.mp4 tcp://127.0.0.1:5000

It is sent as MPEG-TS. One viewer at a time; who calls again gets it from the beginning. A file of
streams watches it by `street: tcp://127.0.0.1:5000`.
"""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from fractions import Fraction

import av


def send(film: str, address: str, times: int | None = None) -> None:
    """Sends the film so many times, or until the viewer goes; its times go on from film to film."""
    with av.open(film) as source, av.open(address, "w", format="mpegts") as sink:
        wanted = [stream for stream in source.streams if stream.type in ("video", "audio")]
        outs = {stream.index: sink.add_stream_from_template(stream) for stream in wanted}
        sink.start_encoding()
        began, shift = time.monotonic(), Fraction(0)
        first, end = Fraction(0), Fraction(0)
        while times is None or times > 0:
            for packet in source.demux(wanted):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                due = shift + packet.dts * packet.time_base
                first = min(first, due - shift)  # decoding may begin before time 0
                end = max(end, due + (packet.duration or 0) * packet.time_base)
                time.sleep(max(0.0, began + float(due) - time.monotonic()))
                ticks = round(shift / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                packet.stream = outs[packet.stream.index]
                sink.mux(packet)
            shift = end - first
            source.seek(0)
            times = None if times is None else times - 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it while it waits for a viewer too
    while True:
        with suppress(OSError):  # the viewer went
            send(sys.argv[1], f"{sys.argv[2]}?listen=1")
