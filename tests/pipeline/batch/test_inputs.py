from __future__ import annotations

import os
import re
import tracemalloc
from collections import deque
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch.inputs import MISSING, Input, find_inputs
from pipeline.batch.naming import SAFE, day_in, source_name
from pipeline.batch.walk import is_medium
from pipeline.errors import ConfigError
from tests.web_server import Answer, WebServer


def put(folder: Path, *names: str) -> Path:
    """The folder, with a small file for each name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"medium")
    return folder


def names(*what: object, root: Path | None = None) -> list[str]:
    said = [str(one) for one in what]
    return [one.source for one in find_inputs(said, root=str(root) if root else None)]


def one(*what: object) -> Input:
    (found,) = find_inputs([str(word) for word in what])
    return found


def refused(*what: object) -> str:
    """What is said, before anything is read."""
    with pytest.raises(ConfigError) as told:
        find_inputs([str(word) for word in what])
    return str(told.value)


def test_a_folder_gives_its_media_in_order_with_names_from_their_paths(tmp_path: Path) -> None:
    put(tmp_path, "b.MKV", "a.mp4", "cam1/2026-11-01/x.mp4", "cam1/y.wav", "readme.txt", "noend")
    put(tmp_path, ".hidden.mp4", ".cache/z.mp4", "c.part.mp4", "d.mp4.part")
    assert names(tmp_path) == ["a.mp4", "b.MKV", "cam1__2026-11-01__x.mp4", "cam1__y.wav"]


def test_other_files_change_no_name(tmp_path: Path) -> None:
    put(tmp_path, "cam 1/x.mp4", "cam-1/x.mp4")
    before = set(names(tmp_path))
    put(tmp_path, "cam__1/x.mp4", "cam/1/x.mp4", "x.mp4")
    after = names(tmp_path)
    assert before < set(after)
    assert len(set(after)) == 5


def test_a_file_is_called_by_its_path_from_here_or_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "cam1/a.mp4", "cam2/a.mp4")
    monkeypatch.chdir(tmp_path)
    assert names("cam1/a.mp4", "./cam2/../cam2/a.mp4") == ["cam1__a.mp4", "cam2__a.mp4"]
    assert names("cam1/a.mp4") == ["cam1__a.mp4"]
    assert names("cam1", "cam2") == ["cam1__a.mp4", "cam2__a.mp4"]
    assert names("cam1/a.mp4", root=tmp_path / "cam1") == ["a.mp4"]
    assert names("cam1", root=tmp_path) == ["cam1__a.mp4"]
    assert one("cam1/a.mp4").address == str(tmp_path / "cam1" / "a.mp4")
    assert one(f"file://{tmp_path}/cam1/a.mp4").address == str(tmp_path / "cam1" / "a.mp4")


def test_a_glob_takes_what_it_says(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.dat", "cam1/c.mp4", "cam1/deep/d.mp4", "cam2/e.txt")
    assert names(tmp_path / "*") == ["a.mp4"]
    assert names(tmp_path / "*.dat") == ["b.dat"]
    assert names(tmp_path / "**/*.mp4") == ["a.mp4", "cam1__c.mp4", "cam1__deep__d.mp4"]
    assert names(tmp_path / "cam?/*") == ["cam1__c.mp4"]
    assert names(tmp_path / "cam1/**") == ["c.mp4", "deep__d.mp4"]


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.txt").write_text("a.mp4\na.mp4\nb.mp4\n", encoding="utf-8")
    found = list(find_inputs([str(tmp_path), str(tmp_path / "*.mp4"), str(tmp_path / "list.txt")]))
    assert [Path(one.address).name for one in found] == ["a.mp4", "b.mp4"]


def test_a_link_that_leads_back_up_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "videos/a.mp4", "elsewhere/b.mp4")
    (tmp_path / "videos" / "up").symlink_to(tmp_path / "videos", target_is_directory=True)
    (tmp_path / "videos" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert names(tmp_path / "videos") == ["a.mp4", "more__b.mp4"]


def test_a_changed_file_has_another_version(tmp_path: Path) -> None:
    path = put(tmp_path, "a.mp4") / "a.mp4"
    before = one(tmp_path)
    assert (before.size_bytes, before.version.split("-")[0]) == (6, "6")
    assert one(tmp_path) == before
    path.write_bytes(b"longer medium")
    longer = one(tmp_path)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert len({before.version, longer.version, one(tmp_path).version}) == 3
    assert before.source == longer.source


def test_the_day_is_told_by_the_path_or_else_by_the_file(tmp_path: Path) -> None:
    path = put(tmp_path, "cam1/x.mp4") / "cam1" / "x.mp4"
    os.utime(path, (1_793_491_199, 1_793_491_199))
    assert one(tmp_path).day == "2026-10-31"  # 23:59:59 UTC
    assert [found.day for found in find_inputs([str(put(tmp_path, "2026/11/05/x.mp4"))])] == [
        "2026-11-05",
        "2026-10-31",
    ]


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("2026-11-01/x.mp4", "2026-11-01"),
        ("cam_20261101.mp4", "2026-11-01"),
        ("cam_20261101T120000.mp4", "2026-11-01"),
        ("20261101120000.mp4", "2026-11-01"),
        ("2026/11/01/x.mp4", "2026-11-01"),
        ("archive-2026-12-31/2026.11.01.mp4", "2026-11-01"),
        ("2026-02-30/x.mp4", None),
        ("12026110199.mp4", None),
        ("2026-1101.mp4", None),
        ("x.mp4", None),
    ],
)
def test_dates_in_paths(path: str, day: str | None) -> None:
    assert day_in(path) == day


_NAMES = st.text(st.sampled_from("ab_-/. é0"), min_size=1, max_size=8)


@given(st.lists(_NAMES, unique=True, max_size=30), st.sampled_from([".mp4", "", "-0a1b2c.mp4"]))
def test_different_paths_have_different_names_that_are_safe(paths: list[str], end: str) -> None:
    made = [source_name(path + end) for path in paths]
    assert len(set(made)) == len(made)
    assert all(SAFE.fullmatch(name.lstrip("-.")) and "/" not in name for name in made)


def test_a_name_is_never_too_long_for_a_file_system() -> None:
    made = {source_name("x" * length + ".mp4") for length in (400, 500)}
    assert len(made) == 2
    assert max(map(len, made)) < 200


def test_a_list_is_read_from_where_it_lies(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "deep/b.any")
    text = "# yesterday\n\na.mp4\n  deep/b.any \nhttps://user:secret@nowhere.invalid/c.mp4?token=secret\n"
    for name in ("list.txt", "list.lst", "anything"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    for word in ("list.txt", "list.lst"):
        assert names(tmp_path / word)[:2] == ["a.mp4", "deep__b.any"]
    a, _, lost = find_inputs([f"@{tmp_path}/anything"])
    assert a.address == str(tmp_path / "a.mp4")
    assert lost.version == MISSING
    assert "secret" not in lost.source + lost.trouble
    assert "no host called 'nowhere.invalid'" in lost.trouble


def test_a_manifest_may_give_names_and_days(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    rows = [("a.mp4", "gate", "2026-01-02"), (str(tmp_path / "b.mp4"), "", "")]
    lines = ["path,source,day,note", *(f"{','.join(row)},x" for row in rows)]
    (tmp_path / "m.csv").write_text("\n".join(lines), encoding="utf-8")
    table = pa.Table.from_pylist(
        [{"url": url, "source": name or None, "day": day or None} for url, name, day in rows]
    )
    pq.write_table(table, tmp_path / "m.parquet")
    for manifest in ("m.csv", "m.parquet"):
        gate, b = find_inputs([str(tmp_path / manifest)])
        assert (gate.source, gate.day) == ("gate", "2026-01-02")
        assert b.address == str(tmp_path / "b.mp4")
        assert b.source == source_name(b.address.lstrip("/"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file\na.mp4\n", "m.csv:1: no column `address` (nor `path`, nor `url`)"),
        ("address\na.mp4\n,\n", "m.csv:3: the row has not as many fields"),
        ("address,day\na.mp4,yesterday\n", "m.csv:2: day 'yesterday' is no date"),
        ("address,source\na.mp4,../x\n", "m.csv:2: source '../x' cannot be a name"),
        ("address,source\na.mp4,x\nb.mp4,x\n", "m.csv:3: another row has the source 'x'"),
        ("address,source\n,x\n", "m.csv:2: the row has no address"),
        ('address\n"a.mp4\n', "not CSV: unexpected end"),
        ("", "m.csv:1: no column"),
    ],
)
def test_a_wrong_manifest_is_told_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    assert told in refused(tmp_path / "m.csv")


def test_what_is_no_list_at_all(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"PAR")
    (tmp_path / "m.csv").write_bytes(b"address\n\xff\xfe\n")
    assert "m.parquet: not Parquet" in refused(tmp_path / "m.parquet")
    assert "not UTF-8 text" in refused(tmp_path / "m.csv")
    assert "the list cannot be read: No such file" in refused(tmp_path / "none.txt")


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("# nothing\n", encoding="utf-8")
    assert f"{tmp_path}: no video or sound is there" in refused(tmp_path)
    assert "no video or sound" in refused(tmp_path / "*.mp4", tmp_path / "notes.txt")
    assert "no such file or folder" in refused(tmp_path / "none.mp4")
    assert "`witness run` takes streams" in refused("rtsp://user:secret@cam/main")
    assert "secret" not in refused("rtsp://user:secret@cam/main")
    assert "nothing" in refused()


def test_a_file_that_vanishes_is_told_as_missing(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    (tmp_path / "d.mp4").symlink_to(tmp_path / "nowhere")
    found = find_inputs([str(tmp_path)])
    first = next(found)
    (tmp_path / "b.mp4").unlink()
    rest = list(found)
    assert [one.source for one in (first, *rest)] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    assert [one.version == MISSING for one in rest] == [True, False, True]
    assert "No such file" in rest[0].trouble


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    for folder in range(20):
        put(tmp_path, *(f"{folder:02}/{number:03}.mp4" for number in range(50)))

    def peak(*what: str) -> int:
        tracemalloc.start()
        deque(find_inputs(what), maxlen=0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few, many = peak(f"{tmp_path}/00/*.mp4"), peak(str(tmp_path))
    assert many < few + 64_000


def test_an_address_of_the_web_is_one_file() -> None:
    tags = {"ETag": '"v1"', "Last-Modified": "Sun, 01 Nov 2026 23:59:59 GMT"}
    routes = {"/cam/a.mp4": Answer(b"medium", headers=tags), "/b": Answer(b"medium")}
    with WebServer(routes).serving() as server:
        (a,) = find_inputs([server.url("/cam/a.mp4").replace("//", "//user:secret@")])
        (b,) = find_inputs([server.url("/b?token=secret")])
        (none,) = find_inputs([server.url("/none.mp4")])
    assert (a.version, a.size_bytes, a.day) == (
        "6-v1-Sun, 01 Nov 2026 23:59:59 GMT",
        6,
        "2026-11-01",
    )
    assert re.fullmatch(r"127\.0\.0\.1-\d+__cam__a-[0-9a-f]{6}\.mp4", a.source)
    assert (b.version, b.day) == ("6", "unknown")
    assert "secret" not in a.source + b.source
    assert (none.version, none.trouble.partition(": ")[2]) == (
        MISSING,
        "nothing is there (404); check the address",
    )


def test_a_bucket_is_listed_like_a_folder() -> None:
    system = MemoryFileSystem()
    for name in ("a.mp4", "2026-11-01/b.mkv", "2026-11-01/notes.txt", ".hidden/c.mp4"):
        system.pipe_file(f"/inputs-bucket/cams/{name}", b"medium")
    assert names("memory://inputs-bucket/cams") == ["2026-11-01__b.mkv", "a.mp4"]
    assert names("memory://inputs-bucket/*/*.mp4") == ["cams__a.mp4"]
    assert names("memory://inputs-bucket/cams/a.mp4") == ["inputs-bucket__cams__a.mp4"]
    b, _ = find_inputs(["memory://inputs-bucket/cams/"])
    assert (b.address, b.day) == ("memory://inputs-bucket/cams/2026-11-01/b.mkv", "2026-11-01")
    before = one("memory://inputs-bucket/cams/a.mp4")
    system.pipe_file("/inputs-bucket/cams/a.mp4", b"mediuM")
    assert one("memory://inputs-bucket/cams/a.mp4").version != before.version
    assert "no video or sound" in refused("memory://inputs-bucket/none")
    system.pipe_file("/inputs-bucket/list.csv", b"address,source\ncams/a.mp4,gate\ncams/no.mp4,\n")
    gate, no = find_inputs(["memory://inputs-bucket/list.csv"])
    assert (gate.source, gate.address) == ("gate", "memory://inputs-bucket/cams/a.mp4")
    assert (no.source, no.version) == ("cams__no.mp4", MISSING)


def test_what_counts_as_a_medium() -> None:
    assert is_medium("cam/A.MP4")
    assert not any(map(is_medium, ["mp4", "a.txt", ".a.mp4", "a.tmp.mp4", "a.mp4.part", "a."]))
