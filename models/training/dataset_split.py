"""Which examples teach, which tune, which judge: by file content, never by window.

Before that the data is checked: the same content under two names may be once in training and once
in the test, or have two labels; both would make figures that mean nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from models.training.dataset import SPLITS, DatasetError, Example, Split

Parts = dict[Split, list[Example]]

SHARES: dict[Split, float] = {"test": 0.2, "validation": 0.15}
"""What is held out of the groups of each label where the data itself says nothing."""

UNEVEN = 5.0
"""From this ratio of the largest to the smallest class on, people are told."""


def contents(examples: Iterable[Example]) -> dict[Path, str]:
    """The sha256 of every file that there is; missing and unreadable ones have none."""
    found: dict[Path, str] = {}
    for path in dict.fromkeys(example.path for example in examples):
        try:
            with path.open("rb") as opened:
                found[path] = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError:
            continue
    return found


def check_labels(examples: Sequence[Example], digests: Mapping[Path, str]) -> list[str]:
    """What people should know of files that occur twice, one sentence each.

    DatasetError when the same content has two labels.
    """
    same: dict[tuple[str, float, float | None], list[Example]] = defaultdict(list)
    for example in examples:
        if example.path in digests:
            same[digests[example.path], example.start_s, example.end_s].append(example)
    told = []
    for twins in same.values():
        names = " and ".join(dict.fromkeys(twin.name for twin in twins))
        labels = sorted({twin.label for twin in twins})
        if len(labels) > 1:
            message = (
                f"labels that do not match: {names} are the same, as {' and as '.join(labels)}"
            )
            raise DatasetError(message)
        if len({twin.path for twin in twins}) > 1:
            told.append(f"the same content under several names: {names}")
    return told


def split_dataset(examples: Sequence[Example], digests: Mapping[Path, str], seed: int = 0) -> Parts:
    """The examples by split; what the data itself says is kept, the rest is cut out of `train`.

    A group, or all copies of one file, is in one split as a whole. Which groups are held out
    depends on the seed and on their content alone, not on names or order. DatasetError when a
    label has too few groups, when a label is only tested, or when splits share content.
    """
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.group or digests[example.path]].append(example)
    given = {example.split for example in examples} - {None}
    wanted = {split: share for split, share in SHARES.items() if split not in given}
    by_label: dict[str, list[str]] = defaultdict(list)
    for name, members in groups.items():
        if any(_is_ours(one) for one in members):
            by_label[Counter(one.label for one in members).most_common(1)[0][0]].append(name)
    where: dict[str, Split] = {}
    for label, names in sorted(by_label.items()):
        where |= _cut(label, names, wanted, seed)
    parts: Parts = {split: [] for split in SPLITS}
    for name, members in groups.items():
        for one in members:
            parts[where[name] if _is_ours(one) else one.split or "train"].append(one)
    _check_parts(parts, digests)
    return parts


def _is_ours(one: Example) -> bool:
    """Whether the split of an example is ours to choose."""
    return one.split in (None, "train")


def _cut(
    label: str, names: Sequence[str], wanted: Mapping[Split, float], seed: int
) -> dict[str, Split]:
    """Which split each group of a label is in."""
    if len(names) <= len(wanted):
        message = (
            f"{label}: {len(names)} file(s) or group(s) that differ; {len(wanted) + 1} are needed, "
            f"to learn from and for {' and '.join(wanted) or 'nothing else'}"
        )
        raise DatasetError(message)
    ranked = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    where: dict[str, Split] = dict.fromkeys(ranked, "train")
    at = 0
    for split, share in wanted.items():
        count = min(max(1, round(share * len(names))), len(names) - at - 1)
        where |= dict.fromkeys(ranked[at : at + count], split)
        at += count
    return where


def _check_parts(parts: Parts, digests: Mapping[Path, str]) -> None:
    taught = {example.label for example in parts["train"]}
    homes: dict[str, tuple[Split, Example]] = {}
    for split, members in parts.items():
        if not members:
            message = f"the {split} split has no file"
            raise DatasetError(message)
        for one in members:
            if one.label not in taught:
                message = f"labels that do not match: {one.label!r} is in {split} and not in train"
                raise DatasetError(message)
            home, other = homes.setdefault(digests[one.path], (split, one))
            if home != split:
                message = (
                    f"a leak between splits: {other.name} ({home}) and {one.name} ({split}) hold "
                    "the same content; remove one of them"
                )
                raise DatasetError(message)


def counts(parts: Parts) -> dict[str, dict[Split, int]]:
    """How many examples of each label each split has."""
    labels = sorted({example.label for members in parts.values() for example in members})
    return {
        label: {
            split: sum(one.label == label for one in members) for split, members in parts.items()
        }
        for label in labels
    }


def imbalance(examples: Iterable[Example]) -> float:
    """The examples of the largest class over those of the smallest."""
    sizes = Counter(example.label for example in examples).values()
    return max(sizes) / min(sizes)


def dataset_digest(examples: Iterable[Example], digests: Mapping[Path, str]) -> str:
    """What tells two datasets apart, in 16 hex digits: content, labels and parts, not paths."""
    told = sorted(
        f"{digests[one.path]} {one.label} {one.start_s} {one.end_s} {one.split} {one.group}"
        for one in examples
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
