"""Decoded pictures that stay as the decoder left them until somebody wants to see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

# Antialiased like BILINEAR when it scales down, in about half of its time.
SCALING = "AREA"
# Less than this is noise more often than motion.
LEAST_MOTION_PX = 0.75
# Their first plane is brightness, 8 bits a pixel.
LUMA_FIRST = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"}
)


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture must be turned to be shown: transposed first, then mirrored."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    degrees: int = 0

    def shown(self, width: int, height: int) -> tuple[int, int]:
        """The size in px as shown of a picture stored with this size, and the other way round."""
        return (height, width) if self.transpose else (width, height)

    def turn(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) or (H, W, 3) as stored -> (H', W') or (H', W', 3) as shown, contiguous."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        image = image[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        return np.ascontiguousarray(image)


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """How the frame's display matrix wants it shown, to the nearest quarter turn.

    The matrix maps a stored (x, y) to a shown (a x + c y, b x + d y), in 16.16 fixed point.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return UPRIGHT
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), np.int32)[:5])
    clockwise = -int(frame.rotation) % 360
    if abs(a) >= abs(b):
        return Orientation(mirror_x=a < 0, mirror_y=d < 0, degrees=clockwise)
    return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0, degrees=clockwise)


def moving(frame: VideoFrame) -> float | None:
    """The share of the picture whose motion vectors say that it moves; None where it has none."""
    told: Any = frame.side_data.get("MOTION_VECTORS")
    if told is None:
        return None
    blocks = told.to_ndarray()
    ways = np.hypot(blocks["motion_x"], blocks["motion_y"]) / blocks["motion_scale"]
    areas = blocks["w"].astype(np.int64) * blocks["h"]
    return float(areas[ways >= LEAST_MOTION_PX].sum() / (frame.width * frame.height))


class AvPixels:
    """A picture held as the decoder's own buffer; converted once per wanted size, when asked."""

    __slots__ = ("_converted", "_frame", "_orientation", "height", "width")

    def __init__(self, frame: VideoFrame, orientation: Orientation = UPRIGHT) -> None:
        self._frame = frame
        self._orientation = orientation
        self._converted: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self.width, self.height = orientation.shown(frame.width, frame.height)

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        """(height, width, 3) RGB, converted, scaled and turned; the same array when asked again.

        Colour space and range are those that the frame claims. Treat it as read-only.
        """
        image = self._converted.get((width, height))
        if image is None:
            stored_width, stored_height = self._orientation.shown(width, height)
            converted = self._frame.reformat(
                stored_width,
                stored_height,
                "rgb24",
                interpolation=SCALING,
                dst_color_range="JPEG",
                threads=1,
            )
            image = self._orientation.turn(np.asarray(converted.to_ndarray(), np.uint8))
            self._converted[width, height] = image
        return image

    def luma(self, least_px: int) -> NDArray[np.uint8]:
        """(h, w) brightness as shown, halved while it stays at least `least_px` across.

        Straight from the decoder's buffer where its first plane is 8-bit brightness, as nearly
        always: many times cheaper than a conversion. Range is as stored.
        """
        frame = self._frame
        if frame.format.name not in LUMA_FIRST:
            frame = frame.reformat(format="gray", threads=1)
        plane: Any = frame.planes[0]
        image = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return self._orientation.turn(halved(image[:, : plane.width], least_px))


def halved(image: NDArray[np.uint8], least_px: int) -> NDArray[np.uint8]:
    """(H, W) -> the mean of every 2 x 2 px, as often as that leaves `least_px` across or more."""
    import cv2

    while image.shape[1] // 2 >= least_px and image.shape[0] > 1:
        height, width = (length // 2 for length in image.shape)
        even = image[: 2 * height, : 2 * width]
        image = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
    return image
