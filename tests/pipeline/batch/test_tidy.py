from pathlib import Path

from pipeline.batch.inputs import Input
from pipeline.batch.stores import open_store
from pipeline.batch.tidy import tidy
from pipeline.batch.unit import key_of

HASH = "0123456789ab"


def key(source: str, config_hash: str = HASH) -> str:
    return key_of(Input(source, f"/{source}.mp4", "1-1", 1, "unknown"), config_hash)


def test_only_what_somebody_goes_on_with_stays(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    done, begun, other = key("a"), key("b"), key("b", "ba9876543210")
    kept = {
        f"units/{done}.json",
        f"events/source=a/{done}.parquet",
        f"parts/{begun}/300-1/00000.json",
    }
    finished, of_another = f"parts/{done}/300-1/00000.arrow", f"parts/{other}/300-1/00000.json"
    for name in (*kept, finished, of_another, f"attempts/{done}.json", f"attempts/{begun}-0.json"):
        store.write(name, b"x")
    (tmp_path / "events" / f".{begun}.part-0123456789ab.parquet").write_bytes(b"half")
    for _ in range(2):
        tidy(store, HASH)
        assert set(store.names()) == kept
        assert not list(tmp_path.rglob(".*"))


def test_an_empty_store_is_tidy(tmp_path: Path) -> None:
    tidy(open_store(str(tmp_path / "none")), HASH)
    assert not (tmp_path / "none").exists()
