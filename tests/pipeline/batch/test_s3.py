"""Inputs, results and questions over S3, as moto's server speaks it."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.batch.inputs import MISSING, find_inputs
from pipeline.batch.query import Results
from pipeline.batch.store import Store
from pipeline.batch.stores import open_store
from pipeline.errors import ConfigError, OutputError
from pipeline.media.bucket import file_system
from tests.object_store import serving
from tests.pipeline.batch.street_results import write_results

pytestmark = pytest.mark.slow
NAME = "events/source=a/K.parquet"


@pytest.fixture(scope="module", autouse=True)
def endpoint() -> Iterator[str]:
    with serving("videos", "results") as there:
        yield there


def test_a_store_in_s3_keeps_its_promises() -> None:
    store: Store = pickle.loads(pickle.dumps(open_store("s3://results/promises")))
    store.write("job.json", b"old")
    store.write("job.json", b"{}")
    with store.whole(NAME) as file:
        file.write(b"abc")
        assert list(store.names()) == ["job.json"]
    assert sorted(store.names()) == [NAME, "job.json"]
    assert (store.read(NAME), store.exists(NAME), store.exists("events")) == (b"abc", True, False)
    assert store.written_s(NAME) > 1.7e9
    with pytest.raises(KeyboardInterrupt), store.whole("half.parquet") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    for _ in range(2):
        store.remove("job.json")
        store.remove_folder("events")
    assert list(store.names()) == []


def test_of_many_that_create_a_file_in_s3_one_does() -> None:
    store = open_store("s3://results/create")
    won: list[int] = []

    def create(number: int) -> None:
        if store.create("units/K.json", b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("units/K.json") == b"%d" % won[0]


def test_a_long_listing_comes_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.bucket.LISTED_AT_ONCE", 3)
    store = open_store("s3://results/pages")
    written = {f"units/{number}.json" for number in range(8)}
    for name in written:
        store.write(name, b"")
    assert set(store.names("units")) == written


def test_videos_are_found_in_a_bucket(tmp_path: Path) -> None:
    system = file_system("s3://")
    for name in ("yard/2026-11-01/a.mp4", "yard/b.mkv", "yard/notes.txt", "gate/c.mp4"):
        system.pipe_file(f"videos/{name}", name.encode())
    found = list(find_inputs(["s3://videos"]))
    assert [one.source for one in found] == [
        "gate__c.mp4",
        "yard__2026-11-01__a.mp4",
        "yard__b.mkv",
    ]
    assert [one.source for one in find_inputs(["s3://videos/*/*.mp4"])] == ["gate__c.mp4"]
    assert found[1].day == "2026-11-01"
    system.pipe_file("videos/gate/c.mp4", b"gate/C.mp4")
    changed = next(find_inputs(["s3://videos/gate"]))
    assert (changed.address, changed.size_bytes) == (found[0].address, found[0].size_bytes)
    assert changed.version != found[0].version
    (tmp_path / "list.txt").write_text("s3://videos/gate/c.mp4\ns3://videos/none.mp4\n", "utf-8")
    listed = list(find_inputs([str(tmp_path / "list.txt")]))
    assert [one.version for one in listed] == [changed.version, MISSING]


def test_a_bucket_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="there is no such bucket"):
        find_inputs(["s3://no-such-bucket/videos"])
    store = open_store("s3://no-such-bucket/results")
    with pytest.raises(OutputError, match=r"a\.json: cannot be written: there is no such bucket"):
        store.write("a.json", b"")
    with pytest.raises(OutputError, match="there is no such bucket"):
        list(store.names())


def test_results_in_s3_are_asked() -> None:
    write_results(open_store("s3://results/street"))
    asked = Results(open_store("s3://results/street")).ask(
        "select source, count(*) as n from events group by all order by 1"
    )
    assert asked is not None
    assert [tuple(row.values()) for row in asked.rows()] == [
        ("gate.mp4", 67),
        ("yard.mp4", 66),
    ]
