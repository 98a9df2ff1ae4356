from pathlib import Path

import pytest

from models.training.dataset import PICTURES, SOUNDS, DatasetError, read_dataset


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


def table(folder: Path, text: str, name: str = "data.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    touch(tmp_path, "bark/b.WAV", "bark/deep/a.ogg", "bark/notes.txt", "bell/a.wav", ".git/x.wav")
    found = read_dataset(tmp_path, SOUNDS)
    named = [(one.path.relative_to(tmp_path).as_posix(), one.label) for one in found]
    assert named == [("bark/b.WAV", "bark"), ("bark/deep/a.ogg", "bark"), ("bell/a.wav", "bell")]
    assert {one.split for one in found} == {None}


def test_splits_may_stand_above_the_classes(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "val/a/2.png", "test/a/3.png")
    found = {one.path.name: (one.label, one.split) for one in read_dataset(tmp_path, PICTURES)}
    assert found == {
        "1.png": ("a", "train"),
        "2.png": ("a", "validation"),
        "3.png": ("a", "test"),
    }


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("path,label\na.wav,bark\n", 0.0, None),
        ("path,label,start,end\na.wav,bark,1.5,2\n", 1.5, 2.0),
        ("\ufefflabel,path,time_start,time_end,split\nbark,a.wav,1,3,train\n", 1.0, 3.0),
        ("filename,fold,target,category,esc10,src_file,take\na.wav,1,0,bark,x,7,A\n", 0.0, None),
        ("a.wav,bark,0.5,1\n", 0.5, 1.0),
        ("path,label,start\n\na.wav , bark ,2\n", 2.0, None),
    ],
)
def test_tables_of_several_kinds(tmp_path: Path, text: str, start: float, end: float) -> None:
    (found,) = read_dataset(table(tmp_path, text), SOUNDS)
    assert (found.path, found.label) == (tmp_path / "a.wav", "bark")
    assert (found.start_s, found.end_s) == (start, end)


def test_columns_of_splits_and_groups_are_kept(tmp_path: Path) -> None:
    text = "path\tlabel\tsplit\tgroup\na.wav\tbark\tdev\tann\n"
    (found,) = read_dataset(table(tmp_path, text, "data.tsv"), SOUNDS, tmp_path / "audio")
    assert (found.split, found.group) == ("validation", "ann")
    assert found.path == tmp_path / "audio" / "a.wav"
    assert found.name == "audio/a.wav"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the table is empty"),
        ("path,label\n", "no labelled file"),
        ("name,kind\na,b\n", "data.csv:1: the header names no `path` and `label`"),
        ("path,label\na.wav\n", "data.csv:2: a row needs a path and a label"),
        ("path,label\na.wav,\n", "data.csv:2: a row needs a path and a label"),
        ("path,label,start\na.wav,b,soon\n", "start is a number of seconds from 0, not 'soon'"),
        ("path,label,start\na.wav,b,nan\n", "start is a number of seconds"),
        ("path,label,start,end\na.wav,b,2,2\n", "the end at 2 s is not after the start at 2 s"),
        ("path,label,split\na.wav,b,some\n", "a split is train, validation or test, not 'some'"),
    ],
)
def test_bad_tables_are_told_by_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        read_dataset(table(tmp_path, text), SOUNDS)


def test_a_table_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(DatasetError, match="not a table that can be read"):
        read_dataset(tmp_path / "data.csv", SOUNDS)


def test_folders_that_will_not_do_are_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_dataset(tmp_path / "none", SOUNDS)
    with pytest.raises(DatasetError, match="no labelled file"):
        read_dataset(tmp_path, SOUNDS)
    touch(tmp_path, "bark/a.wav", "bell/notes.txt")
    with pytest.raises(DatasetError, match="bell: the class is empty"):
        read_dataset(tmp_path, SOUNDS)
    touch(tmp_path, "bell/a.wav", "loose.wav")
    with pytest.raises(DatasetError, match=r"loose\.wav is in no class"):
        read_dataset(tmp_path, SOUNDS)
    with pytest.raises(DatasetError, match="a folder with a folder for each class"):
        read_dataset(tmp_path / "loose.wav", SOUNDS)
