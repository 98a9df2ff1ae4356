"""A clip's packets in a file that a program without any media library can play out.

First line: JSON with `length_ns` and, for each track, `caps` (GStreamer's words). Then records of
track, key (one byte each), time in ns and size, each followed by that many bytes.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import av
from av.bitstream import BitStreamFilterContext

from tests.live.footage import Clip

RECORD = struct.Struct("<BBqI")
_CAPS = {
    "h264": "video/x-h264,stream-format=byte-stream,alignment=au",
    "aac": "audio/mpeg,mpegversion=4,stream-format=raw,rate={rate},channels=1,"
    "codec_data=(buffer){data}",
    "pcm_mulaw": "audio/x-mulaw,rate={rate},channels=1",
    "opus": "audio/x-opus,rate={rate},channels=1,channel-mapping-family=0",
}


def write(path: Path, clip: Clip) -> Path:
    """The feed of the clip in the file `path`, beside it; written when it is not there yet."""
    feed = path.with_suffix(".feed")
    if feed.exists():
        return feed
    length = clip.seconds * 10**9
    records: list[tuple[int, int, bool, bytes]] = []
    with av.open(path) as container:
        streams = [*container.streams.video, *container.streams.audio]
        tracks = [{"caps": _caps(stream)} for stream in streams]
        for stream in container.streams.video:
            annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(streams):
            if packet.pts is None or packet.time_base is None:
                continue
            track = streams.index(packet.stream)
            time, key = round(packet.pts * packet.time_base * 10**9), packet.is_keyframe
            # The filter empties the packet that it is given.
            whole = annex_b.filter(packet) if packet.stream.type == "video" else [packet]
            records.append((time, track, key, b"".join(bytes(one) for one in whole)))
    # One round exactly: what a coder appended for its own delay is in the next round already.
    starts = [min(one[0] for one in records if one[1] == track) for track in range(len(tracks))]
    kept = [one for one in records if one[0] < starts[one[1]] + length]
    header = json.dumps({"length_ns": length, "tracks": tracks})
    part = feed.with_suffix(".part")
    with part.open("wb") as file:
        file.write(header.encode() + b"\n")
        for time, track, key, data in sorted(kept, key=lambda one: one[:2]):
            file.write(RECORD.pack(track, key, time, len(data)) + data)
    part.replace(feed)
    return feed


def _caps(stream: Any) -> str:
    context = stream.codec_context
    data = bytes(context.extradata or b"").hex()
    return _CAPS[context.name.removeprefix("lib")].format(rate=context.rate, data=data)
