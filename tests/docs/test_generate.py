"""The generated pages say what the code says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, str] = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_is_up_to_date(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name], f"docs/{name} is behind the code: run `make docs`"


def test_config_page_knows_every_lane() -> None:
    for kind in ("action", "instances", "sound"):
        assert f"### `kind: {kind}`" in PAGES["config.md"]


def test_metrics_page_names_units_and_labels() -> None:
    row = next(row for row in PAGES["metrics.md"].splitlines() if "witness_stage_seconds" in row)
    assert "histogram" in row
    assert "| stage, lane |" in row
