from pathlib import Path

from pipeline.batch.store import open_store
from pipeline.batch.tidy import tidy


def test_only_what_somebody_goes_on_with_stays(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    kept = {"units/k1.json", "events/source=a/k1.parquet", "parts/k2/300-1/00000.json"}
    for name in (*kept, "parts/k1/300-1/00000.arrow", "attempts/k1.json", "attempts/k2-0.json"):
        store.write(name, b"x")
    (tmp_path / "events" / ".k3.part-0123456789ab.parquet").write_bytes(b"half")
    tidy(store)
    assert set(store.names()) == kept
    assert not list(tmp_path.rglob(".*"))
    tidy(store)
    assert set(store.names()) == kept


def test_an_empty_store_is_tidy(tmp_path: Path) -> None:
    tidy(open_store(str(tmp_path / "none")))
    assert not (tmp_path / "none").exists()
