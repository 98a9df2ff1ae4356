"""Decoding and scaling against ffmpeg, OpenCV and torchcodec, on the same 720p H.264 film.

    python benchmarks/bench_decode.py [--pairs 7] [--film FILE]

Two tasks: one frame in five scaled to 224x224 RGB, and every frame to RGB at its own size. Each
round runs every way once, in turn and in turned order; told are source frames per second of each
(median) and the median over the rounds of our speed divided by that of the best other way in the
same round. The film is the street clip, enlarged, with noise: 720p, 25 Hz, 40 s, libx264 veryfast.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from street_film import NOISE, Codec, encode, street

from pipeline.media.decode import Decoder
from pipeline.records import Frame

SIZE = (1280, 720)
FRAMES = 1000
SMALL = 224
EVERY = 5
Way = Callable[[Path, bool], int]


def make(path: Path) -> None:
    """The film: people who walk over the street, as loud as its noise."""
    empty, people = street()
    draw = np.random.default_rng(0)
    grains = [draw.normal(0, NOISE, (SIZE[1], SIZE[0], 1)).astype(np.float32) for _ in range(8)]

    def pictures() -> Iterator[NDArray[np.uint8]]:
        scene = cv2.resize(empty, SIZE)
        for number in range(FRAMES):
            picture = scene.astype(np.float32)
            for place, (person, weights, _) in enumerate(people[:8]):
                high, wide = weights.shape
                left = (number * (2 + place) + 150 * place) % (SIZE[0] - wide)
                spot = picture[80 * place : 80 * place + high, left : left + wide]
                spot += (person[: spot.shape[0]] - spot) * weights[: spot.shape[0], :, None]
            picture += np.roll(grains[draw.integers(8)], draw.integers(SIZE[1]), axis=0)
            yield np.clip(picture, 0, 255).astype(np.uint8)

    encode(path, pictures(), Codec(), SIZE)


def witness(threads: int) -> Way:
    """This project's decoder, with so many threads."""

    def run(path: Path, sampled: bool) -> int:
        count = 0
        with Decoder(str(path), media={"video"}, threads=threads) as decoder:
            for item in decoder.items():
                if isinstance(item, Frame):
                    if not sampled:
                        item.pixels.rgb(*SIZE)
                    elif item.index % EVERY == 0:
                        item.pixels.rgb(SMALL, SMALL)
                    count += 1
        return count

    return run


def ffmpeg(path: Path, sampled: bool) -> int:
    """The command, its pictures read from a pipe."""
    width, height = (SMALL, SMALL) if sampled else SIZE
    chosen = f"select=not(mod(n\\,{EVERY})),scale={SMALL}:{SMALL}:flags=area"
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-an"]
    if sampled:
        command += ["-vf", chosen, "-fps_mode", "passthrough"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    whole = width * height * 3
    count = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=whole) as process:
        assert process.stdout is not None
        while len(data := process.stdout.read(whole)) == whole:
            np.frombuffer(data, np.uint8).reshape(height, width, 3)
            count += EVERY if sampled else 1
    return count


def opencv(path: Path, sampled: bool) -> int:
    """OpenCV's reader: `grab` for what is not wanted, `retrieve` for what is."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = 0
    while capture.grab():
        if not sampled or count % EVERY == 0:
            picture = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
            if sampled:
                cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
        count += 1
    return count


def by_torchcodec(path: Path, sampled: bool) -> int:
    """Torchcodec's decoder; it scales by torch."""
    import torch
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), seek_mode="approximate", num_ffmpeg_threads=0)
    total = len(decoder)
    if not sampled:
        for first in range(0, total, 16):
            decoder.get_frames_in_range(first, min(total, first + 16))
        return total
    for first in range(0, total, EVERY * 16):
        frames = decoder.get_frames_in_range(first, min(total, first + EVERY * 16), EVERY).data
        torch.nn.functional.interpolate(frames.float(), (SMALL, SMALL), mode="area")
    return total


def others(path: Path) -> dict[str, Way]:
    """The other ways that run here; it is told which do not, and why."""
    ways: dict[str, Way] = {"opencv": opencv, "ffmpeg": ffmpeg, "torchcodec": by_torchcodec}
    for name in list(ways):
        try:
            ways[name](path, True)
        except (ImportError, RuntimeError, OSError) as error:
            del ways[name]
            told = [line for line in str(error).splitlines() if "cannot open" in line]
            print(f"{name}: left out: {told[0] if told else error}")
    return ways


def speed(way: Way, path: Path, sampled: bool) -> float:
    """Source frames per second."""
    began = time.perf_counter()
    return way(path, sampled) / (time.perf_counter() - began)


def compare(path: Path, sampled: bool, pairs: int, threads: int) -> None:
    """Measures one task and tells."""
    mine = f"witness, {threads} threads" if threads > 1 else "witness, 1 thread"
    ways = {mine: witness(threads), **others(path)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(pairs):
        order = list(ways) if number % 2 else list(reversed(ways))
        for name in order:
            found[name].append(speed(ways[name], path, sampled))
    best = [max(found[name][n] for name in ways if name != mine) for n in range(pairs)]
    ratios = [one / other for one, other in zip(found[mine], best, strict=True)]
    print("one frame in five to 224x224" if sampled else "every frame to RGB")
    for name, speeds in found.items():
        print(f"  {name:20} {statistics.median(speeds):7.0f} frames/s")
    print(f"  against the best other {statistics.median(ratios):.2f}x", flush=True)


def main() -> None:
    """Measures both tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        film = options.film or Path(folder) / "film.mp4"
        if not film.exists():
            make(film)
        for sampled in (True, False):
            compare(film, sampled, options.pairs, options.threads)


if __name__ == "__main__":
    main()
