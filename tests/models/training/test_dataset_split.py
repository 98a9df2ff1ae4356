from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.dataset import SPLITS, DatasetError, Example
from models.training.dataset_split import (
    check_labels,
    contents,
    counts,
    dataset_digest,
    imbalance,
    split_dataset,
)


def many(label: str, count: int, **more: object) -> list[Example]:
    paths = [Path(label, f"{number}.wav") for number in range(count)]
    return [Example(path, label, **more) for path in paths]  # type: ignore[arg-type]


def digests(examples: list[Example]) -> dict[Path, str]:
    return {one.path: f"content of {one.path}" for one in examples}


@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 5))
def test_every_label_is_in_every_split_and_no_file_in_two(a: int, b: int, seed: int) -> None:
    examples = many("a", a) + many("b", b)
    parts = split_dataset(examples, digests(examples), seed)
    assert sorted(one.path for split in SPLITS for one in parts[split]) == sorted(
        one.path for one in examples
    )
    for count in counts(parts).values():
        assert all(count[split] >= 1 for split in SPLITS)
        assert count["train"] >= count["validation"]


def test_names_and_order_do_not_move_the_split() -> None:
    examples = many("a", 20) + many("b", 20)
    content = digests(examples)
    moved = {Path("else") / path: digest for path, digest in content.items()}
    others = [Example(Path("else") / one.path, one.label) for one in reversed(examples)]
    first, second = split_dataset(examples, content), split_dataset(others, moved)
    for split in SPLITS:
        assert {content[x.path] for x in first[split]} == {moved[x.path] for x in second[split]}
    another = split_dataset(examples, content, seed=1)
    assert {x.path for x in another["test"]} != {x.path for x in first["test"]}


def test_parts_of_a_file_and_of_a_group_stay_together() -> None:
    path = Path("long.wav")
    cut = [Example(path, "a", float(at), at + 1.0) for at in range(5)]
    group = [Example(Path(f"{n}.wav"), "a", group="ann") for n in range(5)]
    examples = cut + group + many("a", 9) + many("b", 9)
    parts = split_dataset(examples, digests(examples))
    for kept in (cut, group):
        assert sum(bool(set(kept) & set(parts[split])) for split in SPLITS) == 1


def test_what_the_data_says_is_kept() -> None:
    examples = many("a", 4, split="train") + many("b", 4, split="train")
    tests = [Example(Path("t", str(n)), label, split="test") for n, label in enumerate("ab")]
    parts = split_dataset(examples + tests, digests(examples + tests))
    assert parts["test"] == tests
    assert len(parts["validation"]) == 2


def test_copies_in_two_splits_are_a_leak() -> None:
    teach, judge = many("a", 3, split="train"), [Example(Path("b.wav"), "a", split="test")]
    content = {**digests(teach), Path("b.wav"): "content of a/1.wav"}
    with pytest.raises(DatasetError, match=r"leak .* a/1.wav \(.*\) and /b.wav \(test\)"):
        split_dataset(teach + judge, content)


def test_copies_of_a_file_are_split_as_one() -> None:
    examples = many("a", 12)
    content = {one.path: f"content {number // 2}" for number, one in enumerate(examples)}
    parts = split_dataset(examples, content)
    homes = [{content[one.path] for one in parts[split]} for split in SPLITS]
    assert not (homes[0] & homes[1] or homes[0] & homes[2] or homes[1] & homes[2])
    assert len(check_labels(examples, content)) == 6


def test_one_content_with_two_labels_is_refused() -> None:
    examples = [Example(Path("x/a.wav"), "bark"), Example(Path("y/b.wav"), "bell")]
    content = dict.fromkeys((one.path for one in examples), "same")
    with pytest.raises(
        DatasetError, match=r"x/a.wav and y/b.wav are the same, as bark and as bell"
    ):
        check_labels(examples, content)
    parts = [Example(Path("a.wav"), "bark", 0, 1), Example(Path("a.wav"), "bell", 1, 2)]
    assert check_labels(parts, {Path("a.wav"): "same"}) == []


def test_too_few_files_and_labels_that_are_only_tested_are_refused() -> None:
    few = many("a", 9) + many("b", 2)
    with pytest.raises(DatasetError, match=r"b: 2 file.* 3 are needed"):
        split_dataset(few, digests(few))
    alone = many("a", 9) + many("b", 1, split="test")
    with pytest.raises(DatasetError, match="'b' is in test and not in train"):
        split_dataset(alone, digests(alone))


def test_files_are_known_by_content(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("c" if name == "c" else "same", encoding="utf-8")
    examples = [Example(tmp_path / name, "x") for name in ("a", "b", "c", "missing")]
    found = contents(examples)
    assert found[tmp_path / "a"] == found[tmp_path / "b"] != found[tmp_path / "c"]
    assert tmp_path / "missing" not in found
    assert dataset_digest(examples[:1], found) == dataset_digest(examples[1:2], found)
    assert dataset_digest(examples[:1], found) != dataset_digest(examples[2:3], found)


def test_imbalance_is_the_largest_over_the_smallest() -> None:
    assert imbalance(many("a", 9) + many("b", 3)) == 3.0
