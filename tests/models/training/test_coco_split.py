"""Pictures with labels by split: rare kinds in every part, groups whole, content told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.training.coco_dataset import CocoDataset
from models.training.coco_split import coco_digest, imbalance, label_counts, split_coco
from models.training.dataset import SPLITS, DatasetError

SQUARE = [[1, 1, 5, 1, 5, 5, 1, 5]]


def made(*shown: str, **more: Any) -> CocoDataset:
    """An image for each word, with a label for each letter of it; `more` goes into the images."""
    names = sorted(set("".join(shown)))
    images = [
        {"id": n, "file_name": f"{n}.png", "width": 8, "height": 8}
        | {key: values[n] for key, values in more.items() if n < len(values)}
        for n in range(len(shown))
    ]
    labels = [
        {"image_id": n, "category_id": names.index(letter), "segmentation": SQUARE}
        for n, word in enumerate(shown)
        for letter in word
    ]
    categories = [{"id": n, "name": name} for n, name in enumerate(names)]
    coco = {"images": images, "annotations": labels, "categories": categories}
    return CocoDataset(coco, {n: Path(f"{n}.png") for n in range(len(shown))})


def digests(dataset: CocoDataset) -> dict[Path, str]:
    return {file: f"content of {file}" for file in dataset.files.values()}


def test_every_part_has_the_rare_kind_and_no_picture_is_lost() -> None:
    dataset = made(*["a"] * 14, *["ab"] * 4, "", "")
    parts = split_coco(dataset, digests(dataset))
    ids = [set(parts[split].files) for split in SPLITS]
    assert set().union(*ids) == set(range(20))
    assert sum(map(len, ids)) == 20
    counts = label_counts(parts)
    assert all(counts["b"].values())
    assert sum(counts["a"].values()) == 18
    assert {18, 19} <= ids[0]  # too few pictures of nothing to cut in three
    assert imbalance(dataset) == 4.5


def test_the_split_is_by_content_and_seed_and_not_by_order() -> None:
    dataset = made(*["a"] * 12)
    same = CocoDataset(
        {**dataset.coco, "images": dataset.coco["images"][::-1]},
        dict(reversed(dataset.files.items())),
    )
    first, second = (split_coco(one, digests(one))["test"].files for one in (dataset, same))
    assert first == second
    assert split_coco(dataset, digests(dataset), seed=7)["test"].files != first


def test_groups_are_not_torn_and_given_splits_are_kept() -> None:
    groups = [f"film {n // 3}" for n in range(18)]
    dataset = made(*["a"] * 18, group=groups)
    for part in split_coco(dataset, digests(dataset)).values():
        shown = [groups[number] for number in part.files]
        assert all(shown.count(group) == 3 for group in shown)
    given = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    dataset = made(*["a"] * 10, split=given)
    parts = split_coco(dataset, digests(dataset))
    assert [len(parts[split].files) for split in SPLITS] == [6, 2, 2]


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (made(*["a"] * 10, "b", "b"), "b: 2 file.s. or group.s. that differ; 3 are needed"),
        (made(*["a"] * 10, split=["holdout"]), "0.png: its split is 'holdout'"),
        (
            made(*["a"] * 8, *["b"] * 4, split=["train"] * 6 + ["validation", *["test"] * 5]),
            "'b' is in test and not in train",
        ),
    ],
)
def test_splits_that_cannot_be_are_told(dataset: CocoDataset, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        split_coco(dataset, digests(dataset))


def test_the_same_content_in_two_splits_is_a_leak() -> None:
    dataset = made(*["a"] * 10, split=["train"] * 6 + ["validation"] * 2 + ["test"] * 2)
    leaky = digests(dataset) | {Path("9.png"): "content of 0.png"}
    with pytest.raises(DatasetError, match="a leak between splits"):
        split_coco(dataset, leaky)


def test_the_digest_is_of_pictures_and_labels_not_of_paths() -> None:
    dataset = made("a", "ab")
    known = coco_digest(dataset.whole(), digests(dataset))
    moved = CocoDataset(dataset.coco, {n: Path("x", file) for n, file in dataset.files.items()})
    again = {Path("x", file): content for file, content in digests(dataset).items()}
    assert coco_digest(moved.whole(), again) == known
    assert coco_digest(made("a", "aa").whole(), digests(dataset)) != known
    assert coco_digest(dataset.whole(), digests(dataset) | {Path("1.png"): "other"}) != known
