"""Labelled media of one's own, decoded as the lanes decode a stream."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceMissing, SourceUnreadable
from pipeline.lanes.sampling import RateSampler
from pipeline.media.audio import read_mono
from pipeline.media.decode import Decoder
from pipeline.records import Frame

if TYPE_CHECKING:
    from models.training.dataset import Example


def listen(example: Example, sample_rate: int) -> NDArray[np.float32]:
    """(n,) in [-1, 1]: the sound of a labelled file, or of its part; SourceError says why not."""
    samples = read_mono(str(example.path), sample_rate)
    end = None if example.end_s is None else round(example.end_s * sample_rate)
    return samples[round(example.start_s * sample_rate) : end]


def watch(example: Example, rate_hz: float, width: int, height: int) -> NDArray[np.uint8]:
    """(T, height, width, 3) RGB of a labelled clip, or of its part, sampled as the lane samples.

    A picture is a clip of one frame. SourceError when it cannot be read, or when nothing of it is
    in the labelled part.
    """
    from models.training.dataset import PICTURES

    if example.path.suffix.lower() in PICTURES:
        return picture(example, width, height)[None]
    frames = list(_sampled(example, rate_hz, width, height))
    if not frames:
        message = f"{example.name}: no frame of it is in the labelled part"
        raise SourceUnreadable(message)
    return np.stack(frames)


def _sampled(
    example: Example, rate_hz: float, width: int, height: int
) -> Iterator[NDArray[np.uint8]]:
    sampler = RateSampler(rate_hz)
    start = Fraction(str(example.start_s))
    end = None if example.end_s is None else Fraction(str(example.end_s))
    with Decoder(str(example.path), media={"video"}) as decoder:
        for item in decoder.items():
            if not isinstance(item, Frame) or item.span.start < start:
                continue
            if end is not None and item.span.start >= end:
                return
            if sampler.wants(item.span.start):
                yield item.pixels.rgb(width, height)


def picture(example: Example, width: int, height: int) -> NDArray[np.uint8]:
    """(height, width, 3) RGB of a picture file, scaled as frames are."""
    found = read_picture(example.path)
    return cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of a picture file, turned as its EXIF says; SourceError says why not."""
    if not path.is_file():
        message = f"{path}: no such file"
        raise SourceMissing(message)
    coded = np.fromfile(path, np.uint8)
    found = cv2.imdecode(coded, cv2.IMREAD_COLOR) if coded.size else None
    if found is None:
        message = f"{path}: not a picture that can be read"
        raise SourceUnreadable(message)
    return np.ascontiguousarray(found[..., ::-1], np.uint8)
