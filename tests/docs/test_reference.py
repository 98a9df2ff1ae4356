"""The reference knows every command, and the rows keep what their version promises."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.sinks.rows import ROWS_VERSION

REFERENCE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "docs" / "generate_reference.py")
)
PROMISED = {
    1: {
        "stream": "string",
        "lane": "string",
        "start_s": "double",
        "end_s": "double",
        "start": "string",
        "end": "string",
        "label": "string",
        "score": "float",
        "track_id": "int64",
        "box": "list<item: float>",
        "mask": "struct<size: list<item: int32>, counts: string>",
        "model": "string",
        "model_sha256": "string",
        "start_utc": "string",
        "end_utc": "string",
        "warming_up": "bool",
    }
}


def test_no_column_goes_or_changes_its_type_within_a_version() -> None:
    now = {field.name: str(field.type) for field in REFERENCE["LIVE_SCHEMA"]}
    assert PROMISED[ROWS_VERSION].items() <= now.items()


def test_every_command_of_the_help_is_on_the_page_with_its_options() -> None:
    page = REFERENCE["cli_page"]()
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    for words, _ in REFERENCE["commands"](app, "witness"):
        told = CliRunner().invoke(app, [*words.split()[1:], "--help"])
        assert told.exit_code == 0, words
        options = {word.rstrip(",") for word in told.output.split() if word.startswith("--")}
        for option in options - {"--help"}:
            shown = f"`{option}`" if option[-1] != "…" else f"`{option[:-1]}"
            assert shown in sections[words], (words, option)


def test_groups_and_their_commands_have_their_own_names() -> None:
    inner = typer.Typer()
    inner.command("list")(lambda: None)
    outer = typer.Typer()
    outer.add_typer(inner, name="streams")
    assert [words for words, _ in REFERENCE["commands"](outer, "w")] == ["w streams list"]
