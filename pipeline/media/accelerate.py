"""Decoding on a device beside the processor, where there is one."""

from __future__ import annotations

import av
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

MOST_COMMON = "h264"


def accelerator(name: str | None) -> tuple[HWAccel | None, str]:
    """What to decode with, or None and why not; with no name None and nothing to tell.

    A stream of a codec that the device cannot decode is decoded by the processor all the same.
    """
    if name is None:
        return None, ""
    unusable = f"{name}: no such device can be used here; the processor decodes"
    # PyAV takes a name that it does not know for any device that is there.
    if name not in hwdevices_available():
        return None, unusable
    hardware = HWAccel(name, allow_software_fallback=True)
    try:
        hardware.create(Codec(MOST_COMMON, "r"))
    except (av.FFmpegError, OSError, RuntimeError, ValueError):
        return None, unusable
    return hardware, ""
