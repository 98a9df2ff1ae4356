"""Films of a street in which nearly nothing happens, with the truth: for bench_scan.py.

The empty street is the median over time of examples/street.mp4, with the noise of a sensor. People
are cut out of that clip and walk from one side to the other. One film is encoded once; its groups
of pictures are then put together anew, packets as they are, to films of any length in which a
wanted share of the groups shows somebody.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

CLIP = Path(__file__).parent.parent / "examples" / "street.mp4"
RATE = 25
NOISE = 4.0
QUIET_GOPS = 40
EVENTS = 8
SEEN_PX = 150.0
"""From so many of its pixels on a person counts as seen."""

Picture = NDArray[np.uint8]
Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Codec:
    """How a film is encoded."""

    name: str = "libx264"
    options: tuple[tuple[str, str], ...] = (("preset", "veryfast"), ("crf", "23"))
    gop: int = 50
    b_frames: int = 2


@dataclass(frozen=True, slots=True)
class Walk:
    """Somebody who crosses the picture, from this frame on, at so many px a frame."""

    person: Picture
    weights: Weights
    top: int
    first: int
    step: float

    @property
    def frames(self) -> int:
        """How long it takes."""
        return round((768 + self.person.shape[1]) / abs(self.step))

    def draw(self, picture: Weights, number: int) -> float:
        """Paints the person into frame `number` (H, W, 3); how many px of it are seen."""
        since = number - self.first
        if not 0 <= since < self.frames:
            return 0.0
        high, wide = self.weights.shape
        left = since * self.step - wide if self.step > 0 else picture.shape[1] + since * self.step
        whole = int(np.floor(left))
        shift = np.array([[1, 0, left - whole], [0, 1, 0]], np.float32)
        size = (wide + 1, high)
        person = cv2.warpAffine(self.person, shift, size, borderMode=cv2.BORDER_REPLICATE)
        weights = cv2.warpAffine(self.weights, shift, size)[..., None]
        begin, end = max(0, whole), min(picture.shape[1], whole + wide + 1)
        if end <= begin:
            return 0.0
        part = slice(begin - whole, end - whole)
        place = picture[self.top : self.top + high, begin:end]
        place += (person[:, part] - place) * weights[:, part]
        return float(weights[:, part].sum())


def street() -> tuple[Picture, list[tuple[Picture, Weights, int]]]:
    """The empty street, and people (picture, weights, top row) who were seen in it."""
    with av.open(str(CLIP)) as container:
        seen = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    empty = np.median(seen[::5], axis=0).astype(np.uint8)
    people = []
    for picture in seen[5::11]:
        changed = (np.abs(picture.astype(int) - empty).max(axis=2) > 28).astype(np.uint8)
        closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((7, 5), np.uint8))
        _, labels, boxes, _ = cv2.connectedComponentsWithStats(closed)
        for number, (x, y, wide, high, area) in enumerate(boxes[1:], 1):
            if 18 <= wide <= 60 and 50 <= high <= 140 and area > 0.35 * wide * high:
                place = (slice(y, y + high), slice(x, x + wide))
                mask = (labels[place] == number).astype(np.float32)
                people.append((picture[place].copy(), cv2.GaussianBlur(mask, (3, 3), 0), int(y)))
    return empty, people


def make_pool(path: Path, codec: Codec) -> None:
    """Encodes quiet groups, then people who cross the street one after the other; with truth."""
    empty, people = street()
    chosen, draw = random.Random(0), np.random.default_rng(0)
    walks, first = [], QUIET_GOPS * codec.gop
    for _ in range(EVENTS):
        person, weights, top = chosen.choice(people)
        step = chosen.uniform(50, 110) / RATE * chosen.choice((-1, 1))
        # Anywhere in a group, as it happens.
        walks.append(Walk(person, weights, top, first + chosen.randrange(codec.gop), step))
        first = (walks[-1].first + walks[-1].frames) // codec.gop * codec.gop + 3 * codec.gop
    seen: list[float] = []

    def pictures() -> Iterator[Picture]:
        height, width, _ = empty.shape
        grains = [draw.normal(0, NOISE, (height, width, 1)).astype(np.float32) for _ in range(8)]
        for number in range(first):
            picture = empty.astype(np.float32)
            seen.append(sum(walk.draw(picture, number) for walk in walks))
            shift = (int(draw.integers(height)), int(draw.integers(width)))
            picture += np.roll(grains[draw.integers(8)], shift, axis=(0, 1))
            yield np.clip(picture, 0, 255).astype(np.uint8)

    encode(path, pictures(), codec, (empty.shape[1], empty.shape[0]))
    Path(f"{path}.json").write_text(json.dumps([round(px) for px in seen]), encoding="utf-8")


def encode(path: Path, pictures: Iterator[Picture], codec: Codec, size: tuple[int, int]) -> None:
    """A film of these pictures."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec.name, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = codec.gop
        stream.codec_context.max_b_frames = codec.b_frames
        stream.codec_context.options = dict(codec.options)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make_film(path: Path, pool: Path, codec: Codec, gops: int, share: float) -> list[bool]:
    """A film of the pool's groups, `share` of them with somebody; per group whether it has.

    A group has somebody when a person is seen in it for 0.2 s, a sample of 5 Hz, at least.
    """
    seen = json.loads(Path(f"{pool}.json").read_text(encoding="utf-8"))
    shown = [
        sum(px >= SEEN_PX for px in seen[first : first + codec.gop]) >= RATE // 5
        for first in range(0, len(seen), codec.gop)
    ]
    order = arrangement(shown, gops, share)
    with av.open(str(pool)) as before, av.open(str(path), "w") as after:
        source = before.streams.video[0]
        groups: list[list[Any]] = []
        for packet in before.demux(source):
            if packet.size:
                if packet.is_keyframe:
                    groups.append([])
                groups[-1].append(packet)
        stream = after.add_stream_from_template(source)
        ticks = round(codec.gop / RATE / source.time_base)
        for place, number in enumerate(order):
            for packet in groups[number]:
                copy: Any = av.Packet(bytes(packet))
                move = (place - number) * ticks
                copy.pts, copy.dts = packet.pts + move, packet.dts + move
                copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
                copy.duration, copy.stream = packet.duration, stream
                after.mux(copy)
    return [shown[number] for number in order]


def arrangement(shown: Sequence[bool], gops: int, share: float) -> list[int]:
    """Numbers of groups: whole events among quiet groups, about `share` of which show somebody."""
    chosen = random.Random(1)
    quiet = list(range(2, QUIET_GOPS - 2))
    events: list[list[int]] = []
    for number in range(QUIET_GOPS, len(shown)):
        if shown[number] and shown[number - 1]:
            events[-1].append(number)
        elif shown[number]:
            events.append([number - 1, number])
        elif shown[number - 1]:
            events[-1].append(number)
    wanted, blocks = round(share * gops), []
    while True:
        fitting = [one for one in events if sum(shown[n] for n in one) <= wanted]
        if not fitting:
            break
        blocks.append(fitting[len(blocks) % len(fitting)])
        wanted -= sum(shown[number] for number in blocks[-1])
    free = gops - sum(map(len, blocks))
    starts = sorted(chosen.sample(range(10, free), len(blocks)))
    order: list[int] = []
    for place in range(free):
        order.append(chosen.choice(quiet))
        for number, start in enumerate(starts):
            if start == place:
                order += blocks[number]
    return order
