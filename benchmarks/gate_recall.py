"""What the motion gate withholds, and what is lost by it: `instances` with and without.

    python benchmarks/gate_recall.py [--clip examples/street.mp4] [--seconds 30]

Takes the clip as it is, where somebody walks at any time, and makes quieter ones of it. `empty`
is the clip's own background (the median over time) with noise of a sensor, encoded anew. A `part`
shows the clip in one ninth of the picture, one of the five through which somebody walks at times
and not always, and that background in the others. `standing` is the clip's middle frame, held: from
the start, so that the gate takes whoever is in it for background, or after five seconds of the
empty street. Noise on all of it. Each is analysed by the shipped network once; what it finds in
frames that the gate withholds is lost. Writes gate_recall.json beside this file; `make docs` makes
the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.frame_cnns import cpu_name
from pipeline.cut import Reader
from pipeline.lane import Gate, Lane
from pipeline.lanes.gate import MotionGateConfig
from pipeline.lanes.instances import InstancesLane
from pipeline.lanes.sampling import RateSampler
from pipeline.media.decode import Decoder
from pipeline.media.encode import Encoder
from pipeline.records import Event, Frame, Mark, Prediction

HERE = Path(__file__).parent
RATE_HZ = 5.0
EMPTY_NOISE = (2.0, 6.0, 12.0)  # standard deviation, of 255, before encoding
PART_NOISE = 4.0
TIMES = 7
PARTS = {
    "top left": (0, 0),
    "top": (0, 1),
    "top right": (0, 2),
    "bottom left": (2, 0),
    "bottom": (2, 1),
}
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what the lane did with one clip, without the gate and with it."""

    clip: str
    frames: int
    gated: int
    events: int
    events_kept: int
    tracks: int
    tracks_kept: int


def pictures(clip: Path, seconds: int) -> list[tuple[Fraction, Picture]]:
    """Every frame of the clip with its time."""
    with Decoder(str(clip), media={"video"}) as decoder:
        frames = (item for item in decoder.items() if isinstance(item, Frame))
        return [
            (frame.span.start, frame.pixels.rgb(frame.pixels.width, frame.pixels.height))
            for frame in frames
            if frame.span.start < seconds
        ]


def noise(shape: tuple[int, ...], sigma: float) -> Iterator[NDArray[np.float32]]:
    """Pictures (H, W, 1) of noise without end; a few, moved about."""
    draw = np.random.default_rng(0)
    made = [draw.normal(0, sigma, (*shape[:2], 1)).astype(np.float32) for _ in range(8)]
    while True:
        shift = draw.integers(0, shape[0]), draw.integers(0, shape[1])
        yield np.roll(made[draw.integers(len(made))], shift, axis=(0, 1))


def noisy(
    path: Path, shown: Iterable[tuple[Fraction, Picture]], sigma: float, rate: Fraction
) -> Path:
    """A film of these pictures with noise on them."""
    shown = iter(shown)
    first = next(shown)
    height, width, _ = first[1].shape
    grain = noise(first[1].shape, sigma)
    with Encoder(path, width, height, rate) as encoder:
        for time_s, picture in [first, *shown]:
            grainy = np.clip(picture + next(grain), 0, 255)
            encoder.write(grainy.astype(np.uint8), time_s)
    return path


def quieter(folder: Path, seen: list[tuple[Fraction, Picture]]) -> Iterator[tuple[str, Path]]:
    """The films that are made of the clip."""
    rate = 1 / statistics.median_low(b[0] - a[0] for a, b in pairwise(seen))
    background = np.median([picture for _, picture in seen[::5]], axis=0).astype(np.uint8)
    height, width, _ = background.shape
    for sigma in EMPTY_NOISE:
        still = ((time_s, background) for time_s, _ in seen)
        yield f"empty, noise {sigma:g}", noisy(folder / f"e{sigma}.mp4", still, sigma, rate)
    middle = seen[len(seen) // 2][1]
    for name, since_s in (("from the start", 0), ("after 5 s", 5)):
        held = ((time_s, background if time_s < since_s else middle) for time_s, _ in seen)
        yield f"standing {name}", noisy(folder / "held.mp4", held, PART_NOISE, rate)
    for name, (down, right) in PARTS.items():
        place = (
            slice(down * height // 3, (down + 1) * height // 3),
            slice(right * width // 3, (right + 1) * width // 3),
        )

        def show(picture: Picture, place: tuple[slice, slice] = place) -> Picture:
            whole = background.copy()
            whole[place] = picture[place]
            return whole

        part = ((time_s, show(picture)) for time_s, picture in seen)
        yield f"part, {name}", noisy(folder / "part.mp4", part, PART_NOISE, rate)


def lanes() -> tuple[Lane, Lane]:
    """The lane without a gate and with the one that is shipped."""
    plain = InstancesLane(kind="instances", name="plain", rate_hz=RATE_HZ)
    gated = InstancesLane(kind="instances", name="gated", rate_hz=RATE_HZ, gate=MotionGateConfig())
    return plain.build("cpu"), gated.build("cpu")


def measured(name: str, clip: Path, plain: Lane, gated: Lane) -> Row:
    """The row of one clip."""
    predictor = plain.make_predictor()
    found: dict[Fraction, Prediction] = {}
    passed: list[Mark] = []
    with closing(Reader(str(clip), "clip", (plain, gated))) as reader:
        for cut in reader.cuts():
            if cut.lane == gated.name:
                passed += [window.mark for window in cut.windows]
            else:
                answers = predictor.predict(cut.windows)
                found |= {answer.mark.span.start: answer for answer in answers}
        withheld = reader.report().progress.gated[gated.name]
    kept = [Prediction(mark, instances=found[mark.span.start].instances) for mark in passed]
    events, events_kept = events_of(plain, found.values()), events_of(gated, kept)
    return Row(
        name,
        len(found),
        withheld,
        len(events),
        len(events_kept),
        len(tracks(events)),
        len(tracks(events_kept)),
    )


def events_of(lane: Lane, answers: Iterable[Prediction]) -> list[Event]:
    """What the lane's aggregator makes of these answers."""
    aggregator = lane.make_aggregator("clip")
    return [event for answer in answers for event in aggregator.push(answer)]


def tracks(events: Iterable[Event]) -> set[int]:
    """The tracks among these events."""
    ids = {event.instance.track_id for event in events if event.instance is not None}
    return {track for track in ids if track is not None}


def costs(clip: Path, seen: list[tuple[Fraction, Picture]]) -> dict[str, float]:
    """The gate's CPU time a frame, in ms, for the clip as it is and for a smaller one."""
    height, width, _ = seen[0][1].shape
    small_px = (640, 360)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        with Encoder(small, *small_px, Fraction(10)) as encoder:
            for time_s, picture in seen:
                encoder.write(np.asarray(cv2.resize(picture, small_px), np.uint8), time_s)
        films = {f"{width}x{height}": clip, "640x360": small}
        # Whatever else runs on the machine only adds.
        return {size: min(gate_ms(film) for _ in range(TIMES)) for size, film in films.items()}


def gate_ms(clip: Path) -> float:
    """The median CPU time that the gate takes for a frame, from the decoder's buffer on."""
    gate: Gate = MotionGateConfig().build()()
    sampler = RateSampler(RATE_HZ)
    taken = []
    with Decoder(str(clip), media={"video"}) as decoder:
        for item in decoder.items():
            if isinstance(item, Frame) and sampler.wants(item.span.start):
                began = time.thread_time()
                gate.wants(item)
                taken.append(1000 * (time.thread_time() - began))
    return round(statistics.median(taken), 3)


def main() -> None:
    """Measures every clip, one after the other, and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, default=HERE.parent / "examples" / "street.mp4")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    plain, gated = lanes()
    seen = pictures(options.clip, options.seconds)
    rows = [measured("as it is", options.clip, plain, gated)]
    print(rows[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, clip in quieter(Path(folder), seen):
            rows.append(measured(name, clip, plain, gated))
            print(rows[-1], flush=True)
    report = {
        "clip": options.clip.name,
        "cpu": cpu_name(),
        "rate_hz": RATE_HZ,
        "network": plain.card.name,
        "gate": MotionGateConfig().model_dump(mode="json"),
        "gate_ms": costs(options.clip, seen),
        "part_noise": PART_NOISE,
        "clips": [asdict(row) for row in rows],
    }
    (HERE / "gate_recall.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
