"""The main job written by hand: PyAV and torch in one loop, nothing of `pipeline`.

What witness is measured against. It decodes both media once, samples alike, runs the same three
networks with the same batches and threads, tracks, and writes JSON lines. It keeps no books, bounds
nothing, survives nothing, and its times are floats. The networks are executed as the lanes have
them executed, or, `plain`, as torch and torchvision have them.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import supervision as sv
import torch
from trackers import ByteTrackTracker

from models.action import load_action
from models.mask_rcnn import Segmenter, load_segmenter
from models.runtime import get_runtime
from models.runtime.instances import run_instances
from models.runtime.sound import run_sound
from models.wavenet import load_sound

RATE_HZ = 5
BATCH = 4
HOP_S = 0.5


class BareLoop:
    """The networks, loaded once; `run(clip, out)` gives the seconds that one pass took."""

    def __init__(self, threads: int | None = None, *, plain: bool = False) -> None:
        if threads:
            torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        self.segmenter = load_segmenter("street-people", device="cpu", batch=BATCH)
        self.action_card, self.action = load_action("street-action")
        self.sound_card, sound = load_sound("sound")
        self.sample_rate, self.hear = sound.sample_rate, sound
        if not plain:
            eager = get_runtime("eager")
            network = run_instances(self.segmenter.network, eager, "float32")
            self.segmenter = Segmenter(network, self.segmenter.card, device="cpu", batch=BATCH)
            self.hear = run_sound(sound, eager, "float32")

    @torch.inference_mode()
    def run(self, clip: Path, out: Path) -> float:
        """Seconds from opening the clip to the last row written."""
        started = time.perf_counter()
        with av.open(str(clip)) as container, out.open("w") as self.rows:
            video = container.streams.video[0]
            video.thread_type = "AUTO"
            self._start()
            for packet in container.demux(video, container.streams.audio[0]):
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame):
                        self._picture(frame)
                    else:
                        self._sound(self.resampler.resample(frame))
            self._pictures_done()
            self._sound(self.resampler.resample(None))
            self._hop(np.pad(self.samples, (0, max(0, self.hop - self.samples.size))))
            self._labels("action", self.action_scores, self.action_card.labels)
            self._labels("sound", self.sound_scores, self.sound_card.labels)
        return time.perf_counter() - started

    def _start(self) -> None:
        self.cell = -1
        self.pictures: list[np.ndarray[Any, Any]] = []
        self.small: list[np.ndarray[Any, Any]] = []
        self.times: list[float] = []
        self.samples = np.zeros(0, np.float32)
        self.resampler = av.AudioResampler(format="flt", layout="mono", rate=self.sample_rate)
        self.hop = round(HOP_S * self.sample_rate)
        self.tracker = ByteTrackTracker(
            lost_track_buffer=60,
            frame_rate=RATE_HZ,
            track_activation_threshold=0.6,
            high_conf_det_threshold=0.5,
            minimum_consecutive_frames=2,
        )
        self.action_state = self.action.initial_state(1)
        self.sound_state = self.hear.initial_state(1)
        self.action_scores: list[tuple[float, Any]] = []
        self.sound_scores: list[tuple[float, Any]] = []

    def _picture(self, frame: av.VideoFrame) -> None:
        cell = int(frame.time * RATE_HZ + 1e-6)
        if cell == self.cell:
            return
        self.cell = cell
        self.size = (frame.width, frame.height)
        scale = min(1.0, self.segmenter.min_size / min(self.size))
        width, height = round(frame.width * scale), round(frame.height * scale)
        self.pictures.append(frame.to_ndarray(format="rgb24", width=width, height=height))
        want = self.action_card.preprocessing
        self.small.append(
            frame.to_ndarray(format="rgb24", width=want["width"], height=want["height"])
        )
        self.times.append(frame.time)
        if len(self.pictures) == BATCH:
            self._pictures_done()

    def _pictures_done(self) -> None:
        if not self.pictures:
            return
        found = self.segmenter.segment(self.pictures, [self.size] * len(self.pictures))
        features = self.action.features(np.stack(self.small))
        for number, (at, things) in enumerate(zip(self.times, found, strict=True)):
            logits, self.action_state = self.action.step(
                features[number : number + 1], self.action_state
            )
            self.action_scores.append((at, torch.softmax(logits[0], -1).numpy()))
            self._track(at, things)
        self.pictures, self.small, self.times = [], [], []

    def _track(self, at: float, things: Any) -> None:
        seen = sv.Detections(
            xyxy=np.array([thing.box for thing in things], np.float32).reshape(-1, 4),
            confidence=np.array([thing.score for thing in things], np.float32),
            class_id=np.zeros(len(things), int),
            data={"index": np.arange(len(things))},
        )
        tracked = self.tracker.update(seen, timestamp=at)
        ids = dict(zip(tracked.data.get("index", ()), tracked.tracker_id, strict=True))
        for number, thing in enumerate(things):
            row = {"at": at, "label": thing.label, "score": round(thing.score, 4)}
            row |= {"box": thing.box, "mask": thing.rle, "track": int(ids.get(number, -1))}
            self.rows.write(json.dumps(row) + "\n")

    def _sound(self, frames: list[av.AudioFrame]) -> None:
        pieces = [frame.to_ndarray().reshape(-1) for frame in frames]
        self.samples = np.concatenate([self.samples, *pieces])
        while self.samples.size >= self.hop:
            self._hop(self.samples[: self.hop])
            self.samples = self.samples[self.hop :]

    def _hop(self, samples: np.ndarray[Any, Any]) -> None:
        sound = torch.from_numpy(np.clip(samples, -1, 1)[None, None].astype(np.float32))
        logits, self.sound_state = self.hear.stream(sound, self.sound_state)
        for row in torch.softmax(logits[0], -1).numpy():
            self.sound_scores.append((len(self.sound_scores) * 0.1, row))

    def _labels(self, lane: str, scores: list[tuple[float, Any]], labels: Any) -> None:
        for at, row in scores:
            best = int(np.argmax(row))
            told = {"at": at, "lane": lane, "label": labels[best], "score": float(row[best])}
            self.rows.write(json.dumps(told) + "\n")
