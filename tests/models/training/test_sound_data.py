from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.sound_data import Sound, find, load, split
from models.training.sound_sources import PACKAGES, RULES, SIX, STREET

RATE = 8000


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def many(label: str, family: str, groups: int, each: int = 3) -> list[Sound]:
    return [
        Sound(family, f"{label}/{group}/{n}.wav", label, family, f"g{group}")
        for group in range(groups)
        for n in range(each)
    ]


def test_labels_come_from_package_and_path(tmp_path: Path) -> None:
    tuxpaint = tree(
        tmp_path / "tux",
        "stamps/animals/dogs/dog.ogg",
        "stamps/animals/dogs/dog_desc_fr.ogg",
        "stamps/animals/birds/cartoon/tux.ogg",
        "stamps/town/firetruck.ogg",
        "stamps/animals/dogs/dog.png",
    )
    found = find({"tuxpaint-stamps-default": tuxpaint}, "street")
    assert {Path(sound.path).name: (sound.label, sound.group) for sound in found} == {
        "dog.ogg": ("animal", "dog"),
        "dog_desc_fr.ogg": ("speech", "fr"),
        "firetruck.ogg": ("alarm", "firetruck"),
    }


def test_a_task_takes_only_what_has_a_label_in_it(tmp_path: Path) -> None:
    keys = tree(tmp_path / "keys", "usr/share/buckle/wav/1e-0.wav", "usr/share/buckle/wav/1e-1.wav")
    assert {sound.label for sound in find({"bucklespring-data": keys}, "street")} == {"impact"}
    six = find({"bucklespring-data": keys}, "six")
    assert [(sound.label, sound.group) for sound in six] == [("key", "1e"), ("key", "1e")]


def test_a_prompt_is_one_group_in_all_languages(tmp_path: Path) -> None:
    folders = {
        f"asterisk-core-sounds-{language}-wav": tree(
            tmp_path / language, "sounds/hello.wav", "sounds/beep.wav"
        )
        for language in ("es", "fr")
    }
    found = find(folders, "street")
    assert {(sound.family, sound.group) for sound in found} == {("asterisk", "hello")}
    assert len(found) == 2


def test_an_unknown_package_gives_nothing(tmp_path: Path) -> None:
    assert find({"other": tree(tmp_path, "a.wav")}, "street") == []


def test_every_rule_names_a_pinned_package_and_known_labels() -> None:
    names = {package.name for package in PACKAGES}
    assert {rule.package for rule in RULES} == names
    assert {rule.street for rule in RULES} == set(STREET)
    assert {rule.six for rule in RULES} - {""} == set(SIX[1:])
    assert all(len(package.sha256) == 64 and package.licence for package in PACKAGES)


def test_a_group_is_in_one_split_and_a_quarter_is_tested() -> None:
    sounds = many("speech", "a", 40) + many("music", "a", 7) + many("music", "b", 20)
    parts = split(sounds)
    assert sum(map(len, parts.values())) == len(sounds)
    where = defaultdict(set)
    for name, members in parts.items():
        for sound in members:
            where[sound.family, sound.label, sound.group].add(name)
    assert all(len(names) == 1 for names in where.values())
    speech = [sound for sound in parts["test"] if sound.label == "speech"]
    assert len(speech) == 10 * 3
    assert {sound.label for sound in parts["validation"]} == {"speech", "music"}


def test_the_split_does_not_depend_on_the_order_of_the_sounds() -> None:
    sounds = many("speech", "a", 12)
    forward, backward = split(sounds), split(sounds[::-1])
    for name in forward:
        assert set(forward[name]) == set(backward[name])


def test_a_package_that_is_left_out_is_the_whole_test() -> None:
    sounds = many("speech", "a", 12) + many("speech", "b", 12)
    parts = split(sounds, leave_out=("b",))
    assert {sound.package for sound in parts["test"]} == {"b"}
    assert len(parts["test"]) == 36
    kept = {sound.package for sound in [*parts["train"], *parts["validation"]]}
    assert kept == {"a"}


def test_the_sounds_of_the_example_clip_are_never_trained_on() -> None:
    package = "sonic-pi-samples"
    alone = [Sound(package, "etc/samples/misc_crow.flac", "animal", package, "misc_crow")]
    assert split(alone)["test"] == alone


def decode(path: Path, rate: int) -> NDArray[np.float32]:
    """A tone with silence around it; `silent` has none, `broken` cannot be decoded."""
    if path.stem == "broken":
        message = "no such codec"
        raise ValueError(message)
    tone = np.sin(np.arange(rate) * 2 * np.pi * 400 / rate).astype(np.float32) * 0.5
    if path.stem == "silent":
        tone *= 0
    quiet = np.zeros(rate // 2, np.float32)
    return np.concatenate((quiet, tone, quiet))


def test_samples_are_trimmed_and_unusable_files_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sounds = [
        Sound("p", f"{stem}.wav", "alarm", "p", stem) for stem in ("broken", "silent", "tone")
    ]
    loaded = load(sounds, {"p": tmp_path}, decode, RATE, tmp_path)
    assert [sound.group for sound in loaded] == ["tone"]
    tone = loaded[sounds[2]]
    assert tone.dtype == np.int16
    assert len(tone) == RATE
    assert 0.48 < np.abs(tone).max() / 32767 < 0.52
    assert "broken.wav" in caplog.text


def test_a_second_load_reads_the_cache_and_decodes_nothing(tmp_path: Path) -> None:
    def refuse(path: Path, rate: int) -> NDArray[np.float32]:
        raise AssertionError(path, rate)

    sounds = [Sound("p", "tone.wav", "alarm", "p", "tone")]
    first = load(sounds, {"p": tmp_path}, decode, RATE, tmp_path)
    second = load(sounds, {"p": tmp_path}, refuse, RATE, tmp_path)
    assert np.array_equal(first[sounds[0]], second[sounds[0]])


def test_a_long_file_is_cut(tmp_path: Path) -> None:
    sounds = [Sound("p", "tone.wav", "alarm", "p", "tone")]
    loaded = load(sounds, {"p": tmp_path}, decode, RATE, tmp_path, longest_s=0.25)
    assert len(loaded[sounds[0]]) == RATE // 4


def test_only_the_package_that_changed_is_decoded_again(tmp_path: Path) -> None:
    seen: list[str] = []

    def told(path: Path, rate: int) -> NDArray[np.float32]:
        seen.append(f"{path.parent.name}/{path.stem}")
        return decode(path, rate)

    one, other = (Sound(name, "tone.wav", "alarm", name, "tone") for name in ("p", "q"))
    new = Sound("q", "second.wav", "alarm", "q", "second")
    folders = {name: tmp_path / name for name in ("p", "q")}
    load([one, other], folders, told, RATE, tmp_path)
    loaded = load([other, new, one], folders, told, RATE, tmp_path)
    assert seen == ["p/tone", "q/tone", "q/tone", "q/second"]
    assert list(loaded) == [other, new, one]


def test_a_package_of_which_nothing_can_be_used_is_left_out(tmp_path: Path) -> None:
    sounds = [Sound("p", "broken.wav", "alarm", "p", "broken")]
    for _ in range(2):
        assert load(sounds, {"p": tmp_path}, decode, RATE, tmp_path) == {}
