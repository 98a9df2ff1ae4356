"""Windows and streams of sound made on the fly: labelled events over a bed, with hop labels.

A stream has events that start anywhere, over a background, at any level, through any microphone.
So a training window is mixed anew every time: a bed (recorded, synthetic or almost silent), zero
to two events with random onset, level, speed and bandwidth, and one label per hop. Bandwidth and
level are random for every label, or the network would learn from which package a sound came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from torch import Tensor

from models.training.sound_data import Samples, Sound

Ints = NDArray[np.int16]

IGNORED = -1
BED_S = 8.0
KEPT = 96
"""Events of a label, and beds, that a mixer keeps for further windows."""

LONGEST_S = 10.0
AUDIBLE = 0.5
"""A hop in which the event has less than this share of the amplitude of the bed is unclear."""

SHORTEST_S = 0.3
"""A shorter event is labelled this long: its echo in the pooled hops is still the event's."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An event of a synthesised stream: when, in seconds, and what."""

    start_s: float
    end_s: float
    label: str


class Mixer:
    """Mixes windows out of labelled sounds; label 0 is the background.

    The same seed gives the same windows. Labels are drawn evenly, then a family by the root of
    how long it sounds, so that neither big labels nor big packages drown the others.

    An event is cut, sped up and filtered for `uses` windows on average: each time it has another
    onset, level, bed and neighbour. Making every event anew would cost twice what the network
    does.
    """

    def __init__(
        self,
        sounds: Mapping[Sound, Ints],
        labels: Sequence[str],
        sample_rate: int,
        hop: int,
        seed: int,
        uses: int = 1,
    ) -> None:
        self.labels, self.sample_rate, self.hop = tuple(labels), sample_rate, hop
        self._uses = uses
        self._rng = np.random.default_rng(seed)
        self._families: list[list[list[Ints]]] = []
        self._shares: list[NDArray[np.float64]] = []
        longest = round(LONGEST_S * sample_rate)
        for label in labels:
            mine = [sound for sound in sounds if sound.label == label]
            families = sorted({sound.family for sound in mine})
            lists = [[sounds[s] for s in mine if s.family == family] for family in families]
            lengths = [sum(min(len(ints), longest) for ints in part) for part in lists]
            shares = np.sqrt(np.array(lengths, float))
            self._families.append(lists)
            self._shares.append(shares / shares.sum() if len(lists) else shares)
        self._kept: dict[str, list[Samples]] = {}

    def batches(self, size: int, hops: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Without end: samples (size, 1, hops * hop) and labels (size, hops), -1 where unclear."""
        while True:
            made = [self.window(hops) for _ in range(size)]
            samples = np.stack([samples for samples, _ in made])[:, None]
            yield torch.from_numpy(samples), torch.from_numpy(np.stack([row for _, row in made]))

    def window(self, hops: int) -> tuple[Samples, NDArray[np.int64]]:
        """One window and its hop labels."""
        rng, length = self._rng, hops * self.hop
        bed_db = rng.uniform(-75, -25)
        mix = self._bed(length) * _amplitude(bed_db)
        targets = np.zeros(hops, np.int64)
        if rng.random() < 0.4:  # a background that sets in is still background
            at = int(rng.integers(length))
            mix[at:] += self._bed(length - at) * _amplitude(rng.uniform(bed_db, -20))
        earliest = -0.8 if rng.random() < 0.15 else 0.0
        at = int(rng.uniform(earliest, 0.4 * length / self.sample_rate) * self.sample_rate)
        for _ in range(rng.choice(3, p=(0.1, 0.3, 0.6))):
            label = int(rng.integers(0 if self._families[0] else 1, len(self.labels)))
            event = self._again(self.labels[label], partial(self._event, label))
            event = event * np.float32(_amplitude(self._level_db(bed_db)))
            if at < 0:
                event = event[min(-at, len(event) - 1) :]
                at = 0
            event = event[: max(0, length - at)]
            self._mark(targets, at, event, mix, label)
            mix[at : at + len(event)] += event
            at += len(event) + int(rng.uniform(0.2, 0.8) * self.sample_rate)
        return np.clip(mix * _amplitude(rng.uniform(-6, 3)), -1, 1).astype(np.float32), targets

    def stream(self, seconds: float) -> tuple[Samples, list[Planted]]:
        """A stream of one bed with events 0.5 to 2 s apart, as a live stream would hold them."""
        rng, length = self._rng, round(seconds * self.sample_rate)
        bed_db = rng.uniform(-65, -40)
        mix = self._bed(length) * _amplitude(bed_db)
        planted: list[Planted] = []
        at = int(rng.uniform(0.5, 2.0) * self.sample_rate)
        while True:
            label = int(rng.integers(1, len(self.labels)))
            event = self._event(label, longest_s=2.0) * _amplitude(self._level_db(bed_db))
            if at + len(event) > length:
                return np.clip(mix, -1, 1).astype(np.float32), planted
            mix[at : at + len(event)] += event
            end = at + len(event)
            planted.append(
                Planted(at / self.sample_rate, end / self.sample_rate, self.labels[label])
            )
            at = end + int(rng.uniform(0.5, 2.0) * self.sample_rate)

    def _level_db(self, bed_db: float) -> float:
        """The level of an event over a bed: 8 to 45 dB above it, never near clipping."""
        return min(bed_db + float(self._rng.uniform(8, 45)), float(self._rng.uniform(-30, -12)))

    def _mark(
        self, targets: NDArray[np.int64], start: int, event: Samples, bed: Samples, label: int
    ) -> None:
        """Labels the hops of an event before it is mixed into the bed.

        Unclear are a first hop of which the event has less than 70 %, the three hops after its
        end, and hops in which the bed drowns it.
        """
        hop, least = self.hop, round(SHORTEST_S * self.sample_rate)
        first = round(start / hop)
        last = max(round((start + max(len(event), least)) / hop), first + 1)
        if start % hop > 0.3 * hop:
            targets[start // hop : start // hop + 1] = IGNORED
        targets[last : last + 3] = IGNORED
        targets[first:last] = label
        for row in range(first + round(SHORTEST_S * 10), min(last, len(targets))):
            heard = event[max(0, row * hop - start) : (row + 1) * hop - start]
            if _rms(heard) < AUDIBLE * _rms(bed[row * hop : (row + 1) * hop]):
                targets[row] = IGNORED

    def _draw(self, label: int) -> Samples:
        """A random file of a label, as float, at the level it was recorded."""
        families = self._families[label]
        family = families[self._rng.choice(len(families), p=self._shares[label])]
        ints = family[self._rng.integers(len(family))]
        samples: Samples = np.asarray(ints, np.float32) / np.float32(32768)
        return samples

    def _event(self, label: int, longest_s: float = 2.5) -> Samples:
        """A random event of a label with unit rms: cut, repeated, sped up, filtered, faded."""
        rng, rate = self._rng, self.sample_rate
        samples = self._draw(label)
        wanted = int(rng.uniform(0.5, longest_s) * rate)
        if len(samples) > wanted:
            samples = self._cut(samples, wanted)
        elif len(samples) < 0.7 * rate and rng.random() < 0.5:
            samples = self._repeated(samples, wanted)
        speed = float(np.exp(rng.normal(0, 0.17)))
        times = np.arange(0, len(samples) - 1, speed)
        samples = np.interp(times, np.arange(len(samples)), samples).astype(np.float32)
        return _faded(_unit(self._through_a_microphone(samples)), rate // 200)

    def _cut(self, samples: Samples, length: int) -> Samples:
        """A stretch of a longer sound: from its start, or from anywhere if it is as loud there.

        What is left of a hit after its attack says little of what was hit.
        """
        at = int(self._rng.integers(len(samples) - length))
        cut = samples[at : at + length]
        return cut if _rms(cut) > 0.5 * _rms(samples[: 2 * length]) else samples[:length]

    def _repeated(self, samples: Samples, length: int) -> Samples:
        """Short sounds come in series: the same one, a few times, at an almost even pace."""
        rng, rate = self._rng, self.sample_rate
        out = np.zeros(length + len(samples), np.float32)
        pace, at = rng.uniform(0.12, 0.6) * rate, 0.0
        while at < length:
            out[int(at) : int(at) + len(samples)] += samples * np.float32(rng.uniform(0.6, 1.0))
            at += max(pace * rng.uniform(0.85, 1.15), 0.1 * rate)
        return out[:length]

    def _through_a_microphone(self, samples: Samples) -> Samples:
        """Random bandwidth, tilt and a dip, in one pass through the spectrum."""
        rng, rate = self._rng, self.sample_rate
        size = next_fast_len(len(samples), real=True)
        spectrum = rfft(samples.astype(np.float32), size)
        hz = np.geomspace(20, rate / 2, 64)
        gain = (hz / 1000) ** rng.normal(0, 0.3)
        if rng.random() < 0.4:
            gain = gain / (1 + (hz / np.exp(rng.uniform(np.log(2000), np.log(rate / 2)))) ** 8)
        if rng.random() < 0.4:
            gain = gain / (1 + (np.exp(rng.uniform(np.log(40), np.log(400))) / hz) ** 4)
        centre, width = np.exp(rng.uniform(np.log(200), np.log(rate / 2))), rng.uniform(0.2, 1.0)
        gain = gain * np.exp(rng.normal(0, 0.8) * np.exp(-((np.log(hz / centre) / width) ** 2)))
        bins = np.interp(np.arange(len(spectrum)) * (rate / size), hz, gain).astype(np.float32)
        filtered: Samples = irfft(spectrum * bins, size)[: len(samples)]
        return filtered

    def _again(self, name: str, make: Callable[[], Samples]) -> Samples:
        """A kept sound of that name; every `uses`-th time a new one, which is kept."""
        kept = self._kept.setdefault(name, [])
        if len(kept) < self._uses or self._rng.random() < 1 / self._uses:
            made = make()
            if len(kept) < KEPT:
                kept.append(made)
            else:
                kept[self._rng.integers(KEPT)] = made
            return made
        return kept[self._rng.integers(len(kept))]

    def _bed(self, length: int) -> Samples:
        """A bed of unit rms."""
        return _unit(_looped(self._again("a bed", self._new_bed), length, self._rng))

    def _new_bed(self) -> Samples:
        """Eight seconds of a bed: half recorded where there are recordings, else synthetic."""
        length = round(BED_S * self.sample_rate)
        if self._families[0] and self._rng.random() < 0.5:
            return self._through_a_microphone(_looped(self._draw(0), length, self._rng))
        return synthetic_bed(length, self.sample_rate, self._rng)


def synthetic_bed(length: int, sample_rate: int, rng: np.random.Generator) -> Samples:
    """Coloured noise, with mains hum, rain-like drops or slow gusts now and then."""
    size = next_fast_len(length, real=True)
    white = rfft(rng.standard_normal(size, np.float32))
    hz = np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float32) + 20
    bed: NDArray[np.floating] = _unit(irfft(white * hz ** -rng.uniform(0, 1.3), size)[:length])
    time = np.arange(length) / sample_rate
    if rng.random() < 0.3:
        base = rng.choice((50, 60, 100, 120)) * rng.uniform(0.97, 1.03)
        for harmonic in range(1, 6):
            phase = 2 * np.pi * (harmonic * base * time + rng.random())
            bed = bed + rng.uniform(0, 1.2) / harmonic * np.sin(phase)
    if rng.random() < 0.3:
        drops = rng.random(length) < rng.uniform(20, 300) / sample_rate
        decay = np.exp(-np.arange(sample_rate // 100) / (sample_rate / rng.uniform(400, 2000)))
        bed = bed + np.convolve(drops * rng.exponential(2.0, length), decay)[:length]
    if rng.random() < 0.3:
        knots = np.arange(0, time[-1] + 2)
        bed = bed * np.interp(time, knots, rng.uniform(0.3, 1.5, len(knots)))
    return bed.astype(np.float32)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0


def _looped(samples: Samples, length: int, rng: np.random.Generator) -> Samples:
    """`length` samples out of a recording, from a random place, joined by short cross-fades."""
    fade = min(len(samples) // 4, 800)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    start = int(rng.integers(len(samples)))
    out = samples[start : start + length]
    if len(out) < length:
        out = np.concatenate((out, samples[: min(start, length - len(out))]))
    while len(out) < length:
        joint = out[len(out) - fade :] * (1 - ramp) + samples[:fade] * ramp
        out = np.concatenate((out[: len(out) - fade], joint, samples[fade:]))
    return out[:length]


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _unit(samples: Samples) -> Samples:
    """`samples` with an rms of 1 where it sounds; silence stays silence."""
    power = np.square(samples, dtype=np.float32)
    level = power[power >= power.mean() / 4].mean()
    unit: Samples = (samples / np.sqrt(max(level, 1e-12))).astype(np.float32)
    return unit


def _faded(samples: Samples, length: int) -> Samples:
    """`samples` with linear fades at both ends, so that a cut is not a click."""
    length = min(length, len(samples) // 2)
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    samples[:length] *= ramp
    samples[len(samples) - length :] *= ramp[::-1]
    return samples
