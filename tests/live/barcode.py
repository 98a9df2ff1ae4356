"""Frames that carry their own number as three strips of cells, seconds that carry it as a pitch.

A strip is two guard cells and 24 bits: 16 of the number, mixed so that about half of them turn
from one frame to the next, and 8 of a checksum. What a lost packet leaves of a frame therefore
reads as no number at all, or as strips that contradict one another, and never as a wrong number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = 1 << 16
PITCHES = 64
TONE_S = 0.12
LOWEST_HZ, STEP_HZ = 500.0, 40.0

_CELLS = 26
_MIX = 40503
_UNMIX = pow(_MIX, -1, NUMBERS)
_STRIPS = ((0.02, 0.12), (0.45, 0.55), (0.88, 0.98))


def draw(number: int, gray: NDArray[np.uint8]) -> None:
    """Writes the number's strips into this (H, W) picture."""
    height, width = gray.shape
    bits = _bits(number % NUMBERS)
    row = np.where(bits[np.arange(width) * _CELLS // width], 235, 16).astype(np.uint8)
    for top, bottom in _STRIPS:
        gray[int(top * height) : int(bottom * height)] = row


def frame_number(image: NDArray[np.uint8]) -> int | None:
    """The number of this (H, W) or (H, W, 3) picture; none unless two strips tell it, all agree.

    One strip that cannot be read is forgiven; one that reads as another number is not.
    """
    told = [number for number in strips(image) if number is not None]
    return told[0] if len(told) >= 2 and len(set(told)) == 1 else None


def is_whole(image: NDArray[np.uint8]) -> bool:
    """Whether every strip can be read and all of them agree."""
    told = strips(image)
    return None not in told and len(set(told)) == 1


def strips(image: NDArray[np.uint8]) -> list[int | None]:
    """What each strip reads, top to bottom; None where a cell is grey or the checksum is wrong."""
    gray = image if image.ndim == 2 else image.mean(axis=2)
    height, width = gray.shape
    found: list[int | None] = []
    for top, bottom in _STRIPS:
        edge = (bottom - top) / 4
        band = gray[int((top + edge) * height) : max(1, int((bottom - edge) * height))]
        lefts = [int((cell + 0.3) * width / _CELLS) for cell in range(_CELLS)]
        rights = [int((cell + 0.7) * width / _CELLS) + 1 for cell in range(_CELLS)]
        cells = [band[:, a:b] for a, b in zip(lefts, rights, strict=True)]
        found.append(_number(cells))
    return found


def tones(seconds: int, rate: int, first_second: int = 0) -> NDArray[np.float32]:
    """(samples,): silence, but for a tone at each second's start whose pitch tells the second."""
    signal = np.zeros(seconds * rate, np.float32)
    time = np.arange(int(TONE_S * rate)) / rate
    # The last milliseconds fade, so that the end is no click; the start has to be sharp.
    fade = np.minimum(1.0, (TONE_S - time) / 0.01)
    for second in range(seconds):
        pitch = LOWEST_HZ + STEP_HZ * ((first_second + second) % PITCHES)
        tone = 0.5 * np.sin(2 * np.pi * pitch * time) * fade
        signal[second * rate : second * rate + len(tone)] = tone
    return signal


def tone_onsets(samples: NDArray[Any], rate: int) -> list[tuple[float, int]]:
    """(seconds from the first sample, second modulo 64) of every whole tone in (samples,) floats.

    A tone that is cut off at either end, or whose pitch is none of ours, is left out.
    """
    smooth = max(1, int(0.003 * rate))
    loud = np.convolve(np.abs(samples), np.ones(smooth) / smooth, "full")[: len(samples)] > 0.06
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    found: list[tuple[float, int]] = []
    for start in starts:
        piece = samples[start : start + int(0.1 * rate)]
        # A zero crossing is no new tone.
        if found and start / rate - found[-1][0] < 2 * TONE_S:
            continue
        if len(piece) < int(0.1 * rate) or loud[start : start + len(piece)].mean() < 0.9:
            continue
        second = _second(piece, rate)
        if second is not None:
            found.append((float(start - smooth // 3) / rate, second))
    return found


def _second(piece: NDArray[Any], rate: int) -> int | None:
    length = 8 * len(piece)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), length))
    peak = float(np.argmax(spectrum)) * rate / length
    second = round((peak - LOWEST_HZ) / STEP_HZ)
    off = abs(peak - LOWEST_HZ - STEP_HZ * second)
    return second if 0 <= second < PITCHES and off < STEP_HZ / 4 else None


def _bits(number: int) -> NDArray[np.bool_]:
    mixed = number * _MIX % NUMBERS
    word = mixed << 8 | _checksum(mixed)
    data = [word >> bit & 1 for bit in reversed(range(24))]
    return np.array([1, *data, 0], dtype=bool)


def _number(cells: list[NDArray[Any]]) -> int | None:
    means = [float(cell.mean()) for cell in cells]
    spread = max(float(cell.std()) for cell in cells)
    if spread > 40 or any(90 < mean < 165 for mean in means):
        return None
    bits = [mean >= 165 for mean in means]
    if not bits[0] or bits[-1]:
        return None
    word = sum(bit << place for place, bit in enumerate(reversed(bits[1:-1])))
    mixed, check = word >> 8, word & 0xFF
    return mixed * _UNMIX % NUMBERS if check == _checksum(mixed) else None


def _checksum(mixed: int) -> int:
    """CRC-8 (polynomial 0x07) of two bytes, started at 0xFF so that all black is not valid."""
    crc = 0xFF
    for byte in (mixed >> 8, mixed & 0xFF):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
