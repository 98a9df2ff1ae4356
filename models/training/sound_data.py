"""Labelled sounds out of packages: which file is what, which split it is in, and its samples.

A label comes from the package and the path, by the rules below. A split is made by group, never
by window: what belongs together (a drum kit, a key, a prompt in all its languages, a speaker, the
hits of one series) is in one split as a whole. Groups are ranked by a hash of their name, so the
split is the same everywhere and does not depend on the order of files.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from models.training.sound_sources import RULES, TEST_ONLY

Samples = NDArray[np.float32]
Decode = Callable[[Path, int], Samples]
Split = Literal["train", "validation", "test"]

_LOGGER = logging.getLogger(__name__)

TEST_SHARE, VALIDATION_SHARE = 0.25, 0.15
AUDIO = frozenset({".wav", ".flac", ".ogg", ".oga"})


@dataclass(frozen=True, slots=True)
class Sound:
    """One labelled file; `group` and `family` decide the split it is in."""

    package: str
    path: str
    label: str
    family: str
    group: str

    @property
    def name(self) -> str:
        """Package and path, as it is named in cards and beside clips."""
        return f"{self.package}/{self.path}"


def find(folders: Mapping[str, Path], task: Literal["street", "six"]) -> list[Sound]:
    """The labelled files of a task in unpacked packages, sorted; unknown packages are ignored."""
    sounds: list[Sound] = []
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for package, folder in sorted(folders.items()):
        files = [p for p in folder.rglob("*") if p.suffix in AUDIO and p.is_file()]
        paths = sorted("/" + p.relative_to(folder).as_posix() for p in files)
        for path in sorted(paths, key=_digest):
            rule = next(
                (r for r in RULES if r.package == package and re.search(r.path, path)), None
            )
            label = "" if rule is None else getattr(rule, task)
            if rule is None or not label:
                continue
            match = re.search(rule.group, path)
            group = match.group(1) if match else path
            counts[package, label, group] += 1
            if counts[package, label, group] <= rule.limit:
                sounds.append(Sound(package, path[1:], label, rule.family or package, group))
    return sorted(sounds, key=lambda sound: sound.name)


def split(sounds: Iterable[Sound], leave_out: Sequence[str] = ()) -> dict[Split, list[Sound]]:
    """The sounds by split; a quarter of the groups of every family and label is for the test.

    With `leave_out`, the test split is exactly the sounds of those packages instead, and the
    others' test groups are used by nobody.
    """
    sounds = list(sounds)
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sound in sounds:
        groups[sound.family, sound.label].add(sound.group)
    where: dict[tuple[str, str, str], Split] = {}
    for (family, label), names in groups.items():
        ranked = sorted(names, key=lambda name: _digest(f"{family}/{name}"))
        test = round(TEST_SHARE * len(ranked) + 0.25)
        validation = round(VALIDATION_SHARE * len(ranked) + 0.25)
        for rank, name in enumerate(ranked):
            pinned = f"{family}/{name}" in TEST_ONLY
            kind: Split = "test" if rank < test or pinned else "train"
            if kind == "train" and rank < test + validation:
                kind = "validation"
            where[family, label, name] = kind
    parts: dict[Split, list[Sound]] = {"train": [], "validation": [], "test": []}
    for sound in sounds:
        kind = where[sound.family, sound.label, sound.group]
        if leave_out and sound.package in leave_out:
            parts["test"].append(sound)
        elif not (leave_out and kind == "test"):
            parts[kind].append(sound)
    return parts


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load(
    sounds: Sequence[Sound],
    folders: Mapping[str, Path],
    decode: Decode,
    sample_rate: int,
    cache: Path,
    longest_s: float = 40.0,
) -> dict[Sound, NDArray[np.int16]]:
    """The samples of every sound (int16, mono, silence at both ends cut), decoded once.

    Files that decode to silence, or not at all, are left out. The cache holds one array and one
    index per package and what is taken of it, so a second run reads a few large files, and what
    changes in one package leaves the others as they are.
    """
    by_package: dict[str, list[Sound]] = {}
    for sound in sounds:
        by_package.setdefault(sound.package, []).append(sound)
    longest = round(longest_s * sample_rate)
    found: dict[Sound, NDArray[np.int16]] = {}
    for package, some in by_package.items():
        wanted = json.dumps([[asdict(sound) for sound in some], sample_rate, longest_s])
        stem = cache / f"sounds-{package}-{_digest(wanted)[:16]}"
        found |= _kept(some, folders[package], decode, sample_rate, stem, longest)
    return {sound: found[sound] for sound in sounds if sound in found}


def _kept(
    sounds: Sequence[Sound],
    folder: Path,
    decode: Decode,
    sample_rate: int,
    stem: Path,
    longest: int,
) -> dict[Sound, NDArray[np.int16]]:
    """The samples of a package's sounds, from the cache files at `stem`, or decoded into them."""
    array, index = Path(f"{stem}.npy"), Path(f"{stem}.json")
    if not index.is_file():
        title, console = f"decoding {sounds[0].package}", Console(stderr=True)
        ints = [
            _decoded(folder / sound.path, decode, sample_rate)[:longest]
            for sound in track(sounds, title, console=console)
        ]
        np.save(array, np.concatenate(ints))
        index.write_text(json.dumps([len(part) for part in ints]), encoding="utf-8")
    ends = np.cumsum([0, *json.loads(index.read_text(encoding="utf-8"))])
    samples = np.load(array, mmap_mode="r")
    spans = zip(sounds, ends[:-1], ends[1:], strict=True)
    return {sound: samples[start:end] for sound, start, end in spans if end > start}


def _decoded(path: Path, decode: Decode, sample_rate: int) -> NDArray[np.int16]:
    """The trimmed samples of a file, scaled to int16; none when it cannot be decoded."""
    try:
        samples = decode(path, sample_rate)
    except Exception as error:  # whatever the injected decoder raises; some packaged files are cut
        _LOGGER.warning("left out, cannot be decoded: %s (%s)", path.name, error)
        return np.zeros(0, np.int16)
    return (np.clip(_trimmed(samples, sample_rate), -1, 1) * 32767).astype(np.int16)


def _trimmed(samples: Samples, sample_rate: int) -> Samples:
    """`samples` without the ends that are 40 dB below its loudest 20 ms; empty when silent."""
    step = sample_rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(frames):
        return samples[:0]
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power > max(power.max() * 1e-4, 1e-9))
    if not len(loud):
        return samples[:0]
    return samples[loud[0] * step : (loud[-1] + 1) * step]
