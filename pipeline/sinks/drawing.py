"""Draws what was seen and heard into one RGB picture: masks, boxes, labels, a band, the time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import masks
from pipeline.records import Event, InstanceMask
from pipeline.sinks.palette import ink_on, rgb, track_colour

_FILL = 0.42
_PANEL = (16, 18, 22)
_PANEL_ALPHA = 0.72
_LOUD = (255, 255, 255)
_QUIET = (168, 174, 184)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shape:
    """An instance ready to be drawn many times: its mask is decoded and cut to its extent."""

    left: int
    top: int
    mask: Picture
    outlines: tuple[NDArray[np.int32], ...]
    box: tuple[int, int, int, int]
    colour: str
    text: str


def shape_of(instance: InstanceMask, label_colour: str, width: int, height: int) -> Shape:
    """An instance cut out for pictures of this size; a tracked one has its track's colour."""
    rle = instance.rle
    if (rle.height, rle.width) != (height, width):
        whole = masks.decode(rle).view(np.uint8)
        scaled = cv2.resize(whole, (width, height), interpolation=cv2.INTER_NEAREST)
        rle = masks.encode(np.asarray(scaled, bool))
    left, top, covered = masks.cut(rle)
    cut = covered.view(np.uint8)
    found: tuple[NDArray[np.int32], ...] = ()
    if cut.size:
        lines, _ = cv2.findContours(
            cut, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top)
        )
        found = tuple(np.asarray(line, np.int32) for line in lines)
    tracked = instance.track_id is not None
    name = f"{instance.label} {instance.track_id}" if tracked else instance.label
    x1, y1, x2, y2 = (round(edge) for edge in instance.box)
    return Shape(
        left=left,
        top=top,
        mask=cut,
        outlines=found,
        box=(x1, y1, x2, y2),
        colour=track_colour(instance.track_id) if instance.track_id is not None else label_colour,
        text=f"{name}  {instance.score:.2f}",
    )


def draw_shapes(picture: Picture, shapes: list[Shape]) -> None:
    """Masks, outlines and boxes first, then all labels, so that no mask hides a label."""
    line = max(1, round(picture.shape[0] / 480))
    for shape in shapes:
        rows, columns = shape.mask.shape
        part = picture[shape.top : shape.top + rows, shape.left : shape.left + columns]
        if part.size:
            cv2.copyTo(cv2.LUT(part, _tint(shape.colour)), shape.mask, part)
        colour = rgb(shape.colour)
        cv2.drawContours(picture, shape.outlines, -1, colour, line + 1, cv2.LINE_AA)
        cv2.rectangle(picture, shape.box[:2], shape.box[2:], colour, line)
    taken: list[tuple[int, int, int, int]] = []
    for shape in shapes:
        tag = _tag(shape.text, shape.colour, max(9, round(_text_px(picture) * 0.74)))
        _paste(picture, tag, *_free_place(shape, tag, taken))


def _free_place(
    shape: Shape, tag: Picture, taken: list[tuple[int, int, int, int]]
) -> tuple[int, int]:
    """Above the box, and above the names that stand there already, while there is room."""
    down, across = tag.shape[:2]
    x, y = shape.box[0], shape.box[1] - down
    for left, top, right, bottom in sorted(taken, key=lambda place: -place[3]):
        if x < right and left < x + across and y < bottom and top < y + down:
            y = top - down
    if y < 0:
        y = shape.box[1]
    taken.append((x, y, x + across, y + down))
    return x, y


def draw_band(picture: Picture, spans: list[Event], colours: dict[str, str]) -> None:
    """The labels that hold right now, as chips along the lower edge, wrapped upwards."""
    size = _text_px(picture)
    pad = size // 2
    x, y = pad, picture.shape[0] - pad
    for event in spans:
        chip = _chip(event.lane, event.label, f"{event.score:.2f}", colours[event.label], size)
        if x > pad and x + chip.shape[1] > picture.shape[1] - pad:
            x, y = pad, y - chip.shape[0] - pad // 2
        _paste(picture, chip, x, y - chip.shape[0])
        x += chip.shape[1] + pad


def draw_time(picture: Picture, time: Fraction) -> None:
    """The media time in the upper right corner, to the millisecond."""
    size = _text_px(picture)
    minutes, ms = divmod(round(time * 1000), 60_000)
    chip = _chip("", f"{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d}", "", None, size)
    _paste(picture, chip, picture.shape[1] - chip.shape[1] - size // 2, size // 2)


def _text_px(picture: Picture) -> int:
    return int(np.clip(round(picture.shape[0] / 34), 10, 48))


@lru_cache(maxsize=64)
def _tint(colour: str) -> Picture:
    levels = np.arange(256)[:, None] * (1 - _FILL) + np.array(rgb(colour)) * _FILL
    return levels.round().astype(np.uint8)[:, None, :]


@lru_cache(maxsize=1)
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")


def _width(text: str, size: int, weight: int) -> int:
    (left, _, across, _) = cv2.getTextSize((0, 0), text, (0, 0), _font(), size, weight)
    return int(left + across)


@lru_cache(maxsize=512)
def _tag(text: str, colour: str, size: int) -> Picture:
    pad = max(2, size // 3)
    shape = (size + 2 * pad, _width(text, size, 600) + 2 * pad, 3)
    tag = np.full(shape, rgb(colour), np.uint8)
    cv2.putText(tag, text, (pad, size + pad // 2), rgb(ink_on(colour)), _font(), size, 600)
    return tag


@lru_cache(maxsize=256)
def _chip(lane: str, label: str, score: str, colour: str | None, size: int) -> Picture:
    """A dark translucent panel: dot, lane in grey, label in white, score in grey; RGBA."""
    pad, down = size // 2, size * 2
    words = [(lane, _QUIET, 400), (label, _LOUD, 600), (score, _QUIET, 400)]
    widths = [_width(text, size, weight) + pad if text else 0 for text, _, weight in words]
    dot = size if colour else 0
    layer = np.full((down, pad + dot + sum(widths), 3), _PANEL, np.uint8)
    ink = np.zeros(layer.shape[:2], np.uint8)
    if colour:
        middle = (pad + size // 3, down // 2)
        cv2.circle(layer, middle, max(2, size // 3), rgb(colour), -1, cv2.LINE_AA)
        cv2.circle(ink, middle, max(2, size // 3), (255,), -1, cv2.LINE_AA)
    x = pad + dot
    for (text, tone, weight), width in zip(words, widths, strict=True):
        at = (x, down // 2 + round(size * 0.36))
        cv2.putText(layer, text, at, tone, _font(), size, weight)
        cv2.putText(ink, text, at, (255,), _font(), size, weight)
        x += width
    return np.dstack([layer, np.maximum(ink, np.uint8(_PANEL_ALPHA * 255))])


def _paste(picture: Picture, sprite: Picture, x: int, y: int) -> None:
    """Puts an RGB sprite in, or blends an RGBA one, cut to the picture."""
    x, y = max(0, min(x, picture.shape[1] - sprite.shape[1])), max(0, y)
    part = picture[y : y + sprite.shape[0], x : x + sprite.shape[1]]
    sprite = sprite[: part.shape[0], : part.shape[1]]
    if sprite.shape[2] == 3:
        part[...] = sprite
        return
    alpha = sprite[..., 3:].astype(np.uint16)
    mixed = part.astype(np.uint16) * (255 - alpha) + sprite[..., :3].astype(np.uint16) * alpha
    part[...] = ((mixed + 127) // 255).astype(np.uint8)
