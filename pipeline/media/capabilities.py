"""What the FFmpeg inside PyAV can do on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import av
from av.codec.codec import UnknownCodecError
from av.codec.hwaccel import hwdevices_available


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Versions, the codecs that were asked for, and the devices that could help to decode.

    `missing` names what this FFmpeg lacks, as "h264 decoder". `hardware` lists the kinds of
    device that the build supports; whether such a device is there shows only when it is used.
    """

    pyav: str
    ffmpeg: str
    missing: tuple[str, ...]
    hardware: tuple[str, ...]


def capabilities(decoders: tuple[str, ...], encoders: tuple[str, ...]) -> Capabilities:
    """What can be done with these codecs, named as FFmpeg names them ("h264", "libx264")."""
    lacking = [f"{name} decoder" for name in decoders if not _has(name, "r")]
    lacking += [f"{name} encoder" for name in encoders if not _has(name, "w")]
    return Capabilities(
        pyav=av.__version__,
        ffmpeg=av.ffmpeg_version_info,
        missing=tuple(lacking),
        hardware=tuple(hwdevices_available()),
    )


def _has(name: str, mode: str) -> bool:
    try:
        av.codec.Codec(name, "w" if mode == "w" else "r")
    except UnknownCodecError:
        return False
    return True
