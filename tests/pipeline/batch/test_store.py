from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.batch.bucket_store import spool
from pipeline.batch.folder_store import FolderStore
from pipeline.batch.store import Store
from pipeline.batch.stores import open_store
from pipeline.errors import ConfigError, OutputError
from pipeline.whole import LoneFile, WholeFile

NAME = "events/source=a/K.parquet"


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store that travelled to another process."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    address = str(tmp_path / "out") if request.param == "folder" else f"memory:/{tmp_path}/out"
    made: Store = pickle.loads(pickle.dumps(open_store(address)))
    return made


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_written_is_there(store: Store) -> None:
    assert not store.exists(NAME)
    assert list(store.names()) == []
    store.write(NAME, b"old")
    store.write(NAME, b"new")
    store.write("job.json", b"{}")
    assert store.read(NAME) == b"new"
    assert store.exists(NAME)
    assert not store.exists("events")
    assert sorted(store.names()) == [NAME, "job.json"]
    assert list(store.names("events")) == [NAME]
    assert list(store.names("none")) == []
    assert store.written_s(NAME) > 1.7e9


def test_a_long_file_appears_at_its_end(store: Store) -> None:
    with store.whole(NAME) as file:
        file.write(b"ab")
        file.write(memoryview(b"c"))
        assert list(store.names()) == []
    assert store.read(NAME) == b"abc"


def test_a_long_file_that_fails_leaves_the_old_one(store: Store, tmp_path: Path) -> None:
    store.write(NAME, b"old")
    before = files(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.whole(NAME) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert store.read(NAME) == b"old"
    assert files(tmp_path) == before


def test_a_file_is_created_once(store: Store, tmp_path: Path) -> None:
    assert store.create(NAME, b"first")
    assert not store.create(NAME, b"second")
    assert store.read(NAME) == b"first"
    assert [name for name in files(tmp_path) if name.startswith(".")] == []


def test_of_many_that_create_a_file_one_does(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    barrier = threading.Barrier(8)
    won: list[int] = []

    def create(number: int) -> None:
        barrier.wait()
        if store.create(NAME, b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read(NAME) == b"%d" % won[0]
    assert files(tmp_path) == ["K.parquet"]


def test_writers_of_one_name_do_not_disturb_each_other(store: Store) -> None:
    with store.whole(NAME) as first:
        with store.whole(NAME) as second:
            first.write(b"first")
            second.write(b"second")
        assert store.read(NAME) == b"second"
    assert store.read(NAME) == b"first"


def test_what_is_removed_is_gone(store: Store) -> None:
    store.write(NAME, b"")
    store.write("parts/K/1.arrow", b"")
    for _ in range(2):
        store.remove(NAME)
        store.remove_folder("parts/K")
    assert list(store.names()) == []


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ".hidden", "a/.b"])
def test_no_name_leads_out_of_the_store(store: Store, name: str) -> None:
    for call in (store.exists, store.read, store.remove, store.remove_folder):
        with pytest.raises(ValueError, match="no name in a store"):
            call(name)
    with pytest.raises(ValueError, match="store itself"):
        store.remove_folder("")


def test_what_is_not_there_cannot_be_read(store: Store) -> None:
    with pytest.raises(OutputError, match=r"none\.json: cannot be read: .*(no|No) such file"):
        store.read("none.json")


def test_leftovers_of_a_killed_writer_are_swept_and_others_stay(store: Store) -> None:
    killed = (
        "import os, sys\n"
        "from pipeline.batch.stores import open_store\n"
        "with open_store(sys.argv[1]).whole('events/K.parquet') as file:\n"
        "    file.write(b'half'); file._part.flush(); os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", killed, store.address], check=False)
    assert ended.returncode == -signal.SIGKILL
    with store.whole(NAME) as file:
        file.write(b"whole")
        assert list(store.names()) == []
        assert store.sweep() == 1
        assert store.sweep() == 0
    assert list(store.names()) == [NAME]


def test_other_hidden_files_are_not_swept(tmp_path: Path) -> None:
    for name in (".profile", ".events.part.jsonl", ".x.part-zz.json"):
        (tmp_path / name).write_bytes(b"")
    assert open_store(str(tmp_path)).sweep() == 0
    assert list(open_store(str(tmp_path)).names()) == []


def test_a_part_that_was_swept_before_its_lock_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[int] = []

    def sweep_first(handle: object, operation: int) -> None:
        if not swept:
            swept.append(operation)
            (part,) = tmp_path.glob(".*")
            part.unlink()

    monkeypatch.setattr("fcntl.flock", sweep_first)
    file = LoneFile(tmp_path / "a.json")
    file.write(b"{}")
    file.appear()
    assert swept
    assert files(tmp_path) == ["a.json"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match=r"K\.parquet: cannot be written: File too large"):
            store.write(NAME, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert files(tmp_path) == []


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b"")
    with pytest.raises(OutputError, match="a part of the path is a file, not a folder"):
        open_store(str(tmp_path)).write(NAME, b"")
    assert list(open_store(str(tmp_path)).names(NAME)) == []


def test_a_file_system_without_links_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_names: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr("os.link", no_links)
    with pytest.raises(OutputError, match="no hard links"):
        open_store(str(tmp_path)).create("a.json", b"")
    assert files(tmp_path) == []


def test_folders_and_names_are_put_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        fsync(handle)

    monkeypatch.setattr("os.fsync", noted)
    open_store(str(tmp_path)).write(NAME, b"whole")
    *made, part, folder = synced
    assert made == [tmp_path, tmp_path / "events"]
    assert part.name.startswith(".K.part-")
    assert folder == tmp_path / "events/source=a"


def test_a_bucket_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("memory://user:secret@store-bucket/out")

    def refuse(*_words: object, **_options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(MemoryFileSystem, "_open", refuse)
    with pytest.raises(OutputError, match=r"a\.json: cannot be written: access denied") as told:
        store.write("a.json", b"")
    assert "secret" not in str(told.value)
    with pytest.raises(OutputError, match="access denied"), store.whole("a.json") as file:
        file.write(b"")
    assert [name for name in files(spool()) if name.startswith(".a")] == []


def test_a_bucket_whose_library_is_missing_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="gs:// needs gcsfs"):
        open_store("gs://bucket/out")


def test_a_store_in_a_folder_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("out")
    assert isinstance(store, FolderStore)
    store.write("a.json", b"{}")
    travelled: Store = pickle.loads(pickle.dumps(store))
    monkeypatch.chdir("/")
    assert travelled.read("a.json") == b"{}"
    assert open_store(f"file://{tmp_path}/out").location("a.json") == str(tmp_path / "out/a.json")


def test_the_file_is_one_that_sinks_take(tmp_path: Path) -> None:
    with open_store(str(tmp_path)).whole(NAME) as file:
        assert isinstance(file, WholeFile)
        file.write(b"abc")
        file.seal()
        assert file.tell() == 3
    assert files(tmp_path) == ["K.parquet"]
