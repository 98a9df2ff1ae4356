import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.whole import WholeFile, WholeSet, output_error, part_of, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "summary.json"
    with whole_file(path) as part:
        part.write_text("{}", encoding="utf-8")
        assert names(path.parent) == [".summary.part.json"]
    assert names(path.parent) == ["summary.json"]


def test_a_block_that_raises_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as part:
        part.write_text("ne", encoding="utf-8")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["summary.json"]
    assert path.read_text(encoding="utf-8") == "old"


def test_a_long_file_appears_when_its_set_is_finished(tmp_path: Path) -> None:
    path, outputs = tmp_path / "events.jsonl", WholeSet(tmp_path)
    file = outputs.file("events.jsonl")
    assert (file.write(b"ab"), file.write(memoryview(b"c")), file.tell()) == (2, 1, 3)
    file.close()
    file.seal()
    assert file.write(b"d") == 1
    assert names(tmp_path) == [part_of(path).name]
    outputs.finish()
    assert path.read_bytes() == b"abc"
    assert names(tmp_path) == ["events.jsonl"]


def written(folder: Path, text: str, *files: str) -> WholeSet:
    """A set that is not finished yet."""
    outputs = WholeSet(folder)
    for name in files:
        outputs.file(name).write(text.encode())
    return outputs


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_a_set_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    written(tmp_path, "old", "a.rows", "b.table", "c.page").finish()
    new = written(tmp_path, "new", "a.rows", "d.summary")
    shown = {name: text for name, text in texts(tmp_path).items() if not name.startswith(".")}
    assert shown == dict.fromkeys(["a.rows", "b.table", "c.page"], "old")
    new.finish(outdated=["a.rows", "b.table", "never.seen"])
    assert texts(tmp_path) == {"a.rows": "new", "c.page": "old", "d.summary": "new"}


def test_a_set_of_which_one_file_cannot_appear_leaves_the_earlier_one(tmp_path: Path) -> None:
    written(tmp_path, "old", "a.rows", "b.table").finish()
    (tmp_path / "c.summary").mkdir()
    new = written(tmp_path, "new", "a.rows", "c.summary")
    with pytest.raises(OutputError, match=r"c\.summary: cannot be written: .*directory"):
        new.finish(outdated=["a.rows", "b.table"])
    (tmp_path / "c.summary").rmdir()
    assert texts(tmp_path) == {"a.rows": "old", "b.table": "old"}


def test_an_abandoned_file_leaves_nothing_and_takes_no_more(tmp_path: Path) -> None:
    file = WholeFile(tmp_path / "events.jsonl")
    file.write(b"ab")
    file.abandon()
    assert file.write(b"c") == 1
    file.abandon()
    assert names(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("", encoding="utf-8")
    path = tmp_path / "out" / "events.jsonl"
    with pytest.raises(OutputError, match="is a file, not a folder"):
        WholeFile(path)
    with pytest.raises(OutputError, match="is a file, not a folder"), whole_file(path) as part:
        part.write_bytes(b"")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EFBIG, "File too large"),
    ],
)
def test_an_error_says_what_to_do(number: int, told: str) -> None:
    error = output_error(Path("out/a"), OSError(number, os.strerror(number)))
    assert str(error).startswith("out/a: cannot be written: ")
    assert told in str(error)
    assert output_error(Path("b"), error) is error


LIMITED = """
import sys
from pathlib import Path
from pipeline.errors import OutputError
from pipeline.whole import WholeSet, whole_file

def by_hand(path):
    outputs = WholeSet(path.parent)
    outputs.file("first.bin").write(b"small")
    outputs.file(path.name).write(bytes(5_000))
    outputs.finish()

def in_a_block(path):
    with whole_file(path) as part:
        part.write_bytes(bytes(100_000))

for write in (by_hand, in_a_block):
    try:
        write(Path(sys.argv[1]))
    except OutputError as error:
        print(error)
"""


def test_a_disk_that_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    path = tmp_path / "events.bin"
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{path}: cannot be written: File too large"] * 2
    assert names(tmp_path) == []
