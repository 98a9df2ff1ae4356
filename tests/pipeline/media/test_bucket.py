from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import (
    ConfigError,
    SourceLost,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from pipeline.media import bucket
from pipeline.media.bucket import BLOCK_BYTES, BucketFile, file_system, is_bucket, source_error
from pipeline.media.decode import Decoder
from pipeline.media.opening import local_path
from pipeline.media.probe import probe
from tests.object_store import serving

STREET = Path(__file__).parents[3] / "examples" / "street.mp4"


def put(name: str, data: bytes) -> str:
    MemoryFileSystem().pipe_file(f"/media-bucket/{name}", data)
    return f"memory://media-bucket/{name}"


def test_which_addresses_are_of_buckets() -> None:
    assert is_bucket("s3://b/a.mp4")
    assert not any(map(is_bucket, ["a.mp4", "/s3/a.mp4", "http://b/a.mp4", "s3:a.mp4", "ftp://b"]))


def test_a_film_in_a_bucket_is_decoded_like_one_on_disk(film: Path) -> None:
    address = put("cam/film.mp4", film.read_bytes())
    with Decoder(address) as there, Decoder(str(film)) as here:
        assert there.stream == "media-bucket-cam-film"
        assert there.info.video == here.info.video
        assert len(list(there.items())) == len(list(here.items()))
        assert there.decoded == here.decoded
        assert not there.troubles


_STEPS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 200)), max_size=20)


@given(_STEPS)
def test_any_reading_gives_the_file_s_bytes(steps: list[tuple[int, int]]) -> None:
    plain = io.BytesIO(bytes(range(251)) * 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket, "BLOCK_BYTES", 16)
        file = io.BufferedReader(BucketFile(put("bytes", plain.getvalue())), 8)
        for place, count in steps:
            assert file.seek(place) == plain.seek(place)
            assert file.read(count) == plain.read(count)
        assert file.seek(-3, io.SEEK_END) == plain.seek(-3, io.SEEK_END)
        assert file.read() == plain.read()


def test_who_reads_a_header_fetches_little_and_who_reads_on_asks_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    fetch = BucketFile._fetch

    def noted(self: BucketFile, number: int) -> None:
        fetch(self, number)
        asked.append(self.fetched_bytes)

    monkeypatch.setattr(BucketFile, "_fetch", noted)
    with BucketFile(put("long", bytes(100 * BLOCK_BYTES))) as file:
        file.read(1000)
        file.seek(-1000, io.SEEK_END)
        file.read(1000)
        assert file.fetched_bytes == 2 * BLOCK_BYTES
        file.seek(0)
        assert sum(len(part) for part in iter(lambda: file.read(65_536), b"")) == file.tell()
        assert file.fetched_bytes <= 101 * BLOCK_BYTES
        assert len(file._blocks) <= bucket.BLOCKS_KEPT
    assert len(asked) < 15


def test_what_cannot_be_opened_is_told() -> None:
    put("cams/a.mp4", b"medium")
    with pytest.raises(SourceMissing, match=r"no\.mp4: nothing is there; check the bucket's name"):
        probe("memory://media-bucket/no.mp4")
    with pytest.raises(SourceMissing, match="is a folder; name a file in it"):
        probe("memory://media-bucket/cams")
    with pytest.raises(SourceUnreadable, match=r"a\.mp4: cannot be opened"):
        probe("memory://media-bucket/cams/a.mp4")
    with pytest.raises(SourceUnreadable, match=r"reading gs:// needs gcsfs: pip install it"):
        probe("gs://bucket/a.mp4")
    with pytest.raises(ConfigError, match="gcsfs"):
        file_system("gs://bucket/a.mp4")
    with pytest.raises(SourceUnreadable, match=r"give a file or one of .*, s3,"):
        local_path("gopher://bucket/a.mp4")


def test_a_list_in_a_bucket_may_not_name_other_files(film: Path) -> None:
    put("film.ts", film.read_bytes())
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n"
    lists = put("list.m3u8", f"{head}{film}\n{head}film.ts\n#EXT-X-ENDLIST\n".encode())
    with pytest.raises(SourceUnreadable):
        probe(lists)


def test_a_file_that_breaks_off_is_lost() -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(8 * BLOCK_BYTES))
    whole, decoded = sound.getvalue(), 0
    with Decoder(put("breaks.wav", whole)) as decoder:
        put("breaks.wav", whole[: 2 * BLOCK_BYTES])
        with pytest.raises(SourceLost, match="it became shorter while it was read"):
            for _ in decoder.items():
                decoded += 1
    assert decoded > 10


def test_troubles_are_told_without_secrets() -> None:
    address = "s3://user:secret@bucket/a.mp4?token=secret"
    troubles = [PermissionError(), TimeoutError(), OSError("https://user:secret@store says no")]
    told = [source_error(address, trouble) for trouble in troubles]
    assert isinstance(told[0], SourceRefused)
    assert "access denied" in str(told[0])
    assert "no connection (TimeoutError)" in str(told[1])
    assert "secret" not in "".join(map(str, told))


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with serving("media-bucket") as endpoint:
        yield endpoint


@pytest.mark.slow
def test_a_probe_of_s3_fetches_less_than_the_file(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = STREET.read_bytes()
    file_system("s3://").pipe_file("media-bucket/cam/street.mp4", data)
    files: list[BucketFile] = []
    begin = BucketFile.__init__

    def noted(self: BucketFile, address: str) -> None:
        begin(self, address)
        files.append(self)

    monkeypatch.setattr(BucketFile, "__init__", noted)
    info = probe("s3://media-bucket/cam/street.mp4")
    assert info.video == probe(str(STREET)).video
    assert 0 < sum(file.fetched_bytes for file in files) < len(data) / 2


@pytest.mark.slow
def test_s3_gives_the_same_frames_as_the_disk(store: str) -> None:
    file_system("s3://").pipe_file("media-bucket/cam/street.mp4", STREET.read_bytes())
    with Decoder("s3://media-bucket/cam/street.mp4") as there, Decoder(str(STREET)) as here:
        assert len(list(there.items())) == len(list(here.items()))
        assert there.decoded == here.decoded


@pytest.mark.slow
def test_what_s3_refuses_is_told(store: str) -> None:
    for address in ("s3://media-bucket/no.mp4", "s3://no-such-bucket/a.mp4"):
        with pytest.raises(SourceMissing, match="nothing is there"):
            probe(address)
