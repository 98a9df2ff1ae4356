from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from pipeline.batch.query import Results
from pipeline.batch.stores import open_store
from pipeline.cli_batch import add_to
from pipeline.errors import ConfigError
from tests.pipeline.batch.street_results import CONFIG, write_results

PAGE = Path(__file__).parents[3] / "docs" / "query.md"
QUESTIONS = re.findall(r"```sql\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("results"))
    write_results(open_store(folder))
    return folder


@pytest.fixture(scope="module")
def asked(results: str) -> Results:
    return Results(open_store(results))


def answer(asked: Results, sql: str) -> list[dict[str, object]]:
    given = asked.ask(sql)
    assert given is not None
    return list(given.rows())


def call(*words: object) -> Result:
    """`witness query` with these words; whatever it says, it shows no traceback and no secret."""
    app = Typer()
    app.callback()(lambda: None)
    add_to(app)
    result = CliRunner().invoke(app, ["query", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "secret" not in result.output
    return result


def test_the_page_asks_five_questions() -> None:
    assert len(QUESTIONS) == 5


@pytest.mark.parametrize("number", range(5))
def test_the_page_s_questions_have_answers_with_its_columns(asked: Results, number: int) -> None:
    sql, shown = QUESTIONS[number]
    rows = answer(asked, sql)
    assert rows
    assert list(rows[0]) == shown.split("\n")[0].split()


def test_sounds_are_where_the_clip_has_them(asked: Results) -> None:
    rows = answer(
        asked,
        "select source, day, start_s, \"end\" from events where label = 'alarm' order by start_s",
    )
    assert rows == [
        {"source": "gate.mp4", "day": "2026-11-21", "start_s": 6.1, "end": "37/5"},
        {"source": "yard.mp4", "day": "2026-11-22", "start_s": 22.4, "end": "237/10"},
    ]


def test_speech_is_joined_with_who_was_there(asked: Results) -> None:
    rows = answer(asked, QUESTIONS[3][0])
    near = {(row["source"], row["start_s"]): row["people"] for row in rows}
    assert near["gate.mp4", 0.9] == 1
    assert near["gate.mp4", 24.6] == 0


def test_every_view_has_its_columns_and_rows(asked: Results) -> None:
    views = {view.name: view for view in asked.views()}
    assert {name: view.rows for name, view in views.items() if not name.startswith("all_")} == {
        "events": 133,
        "ledger": 4,
        "failures": 1,
        "gops": 0,
        "features": 0,
        "units": 3,
    }
    for name in ("events", "ledger", "failures", "units"):
        mine, more = (dict(views[view].columns) for view in (name, f"all_{name}"))
        assert list(mine)[:2] == ["source", "day"]
        assert list(more) == [*mine, "key", "config_hash", "newest"]
        assert answer(asked, f"select * from {name}")


def test_only_what_the_newest_job_finished_is_seen(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    write_results(store, "0" * 12)
    write_results(store)
    unfinished = f"events/source=gate.mp4/unfinished-{CONFIG}.parquet"
    store.write(unfinished, store.read(f"events/source=gate.mp4/gate.mp4-{CONFIG}.parquet"))
    asked = Results(store)
    counts = "select count(*) as n, count(distinct source) as sources from"
    assert answer(asked, f"{counts} events") == [{"n": 133, "sources": 2}]
    assert answer(asked, f"{counts} all_events") == [{"n": 266, "sources": 2}]
    assert answer(asked, f"{counts} all_units") == [{"n": 6, "sources": 3}]
    ours = "select distinct config_hash as c from all_events order by c"
    assert [row["c"] for row in answer(asked, ours)] == ["0" * 12, CONFIG]


def test_of_two_versions_of_a_video_the_later_counts(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    write_results(store)
    record = json.loads(store.read(f"units/gate.mp4-{CONFIG}.json"))
    for key, age_s in (("older", 100), ("newer", 0)):
        record |= {"key": key, "version": key, "files": []}
        store.write(f"units/{key}.json", json.dumps(record).encode())
        path = tmp_path / "units" / f"{key}.json"
        later = path.stat().st_mtime + 10 - age_s
        os.utime(path, (later, later))
    rows = answer(Results(store), "select version from units where source = 'gate.mp4'")
    assert rows == [{"version": "newer"}]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_parquet('{results}/events/**/*.parquet')",
        "select * from '{results}/job.json'",
        "copy events to '{results}/events/more.parquet'",
        "attach '{results}/x.db'",
        "export database '{results}/x'",
        "install httpfs",
        "load httpfs",
        "select * from glob('{results}/*')",
        "select * from read_text('/etc/hostname')",
    ],
)
def test_a_query_can_open_and_write_no_files(asked: Results, results: str, sql: str) -> None:
    before = sorted(open_store(results).names())
    with pytest.raises(ConfigError, match="a query sees the results alone"):
        asked.ask(sql.format(results=results))
    assert sorted(open_store(results).names()) == before


def test_the_lock_cannot_be_opened(asked: Results) -> None:
    with pytest.raises(ConfigError, match="the configuration has been locked"):
        asked.ask("set enable_external_access = true")


def test_sql_that_is_wrong_is_told_in_words(asked: Results, results: str) -> None:
    for sql, told in (
        ("selec 1", "syntax error"),
        ("select lable from events", "label"),
        ("select * from evnts", "events"),
        ("select cast(label as int) from events", "Could not convert"),
    ):
        said = call(results, sql)
        assert said.exit_code == 2
        assert said.output.startswith("error")
        assert told in said.output
        assert "Error:" not in said.output
    assert "the query gives no table" in call(results, " -- nothing").output


def test_without_sql_the_views_are_listed(results: str) -> None:
    said = call(results)
    assert said.exit_code == 0
    assert re.search(r"events\s+133\s+source varchar", said.output)
    assert re.search(r"all_units\s+3\s+those of units", said.output)
    examples = re.findall(r'witness query \S+ "(.*)"', said.output)
    assert len(examples) == 3
    assert all(call(results, example).exit_code == 0 for example in examples)


def test_answers_in_every_format(results: str, tmp_path: Path) -> None:
    sql = "select source, count(*) as n, map {'a': 1} as m from events group by all order by 1"
    table = call(results, sql).output
    assert re.search(r"gate\.mp4\s+67\s+\{\"a\": 1\}", table)
    text = call(results, sql, "--format", "csv").output
    assert list(csv.reader(text.splitlines())) == [
        ["source", "n", "m"],
        ["gate.mp4", "67", '{"a": 1}'],
        ["yard.mp4", "66", '{"a": 1}'],
    ]
    rows = json.loads(call(results, sql, "--format", "json").output)
    assert rows[1] == {"source": "yard.mp4", "n": 66, "m": {"a": 1}}
    out = tmp_path / "deep" / "answer.parquet"
    assert call(results, sql, "--out", out).exit_code == 0
    assert pq.read_table(out)["n"].to_pylist() == [67, 66]
    assert json.loads(call(results, "select 1 limit 0", "--format", "json").output) == []


def test_options_that_do_not_fit_are_told(results: str, tmp_path: Path) -> None:
    for words, told in (
        (["--format", "parquet"], "say --out FILE"),
        (["--out", tmp_path / "answer"], "say --format csv, json or parquet"),
        (["--out", tmp_path / "a.csv", "--format", "table"], "a table is for the terminal"),
    ):
        said = call(results, "select 1", *words)
        assert said.exit_code == 2
        assert told in re.sub(r"\s+", " ", said.output)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_damaged_is_told(tmp_path: Path) -> None:
    write_results(open_store(str(tmp_path)))
    table = next((tmp_path / "events").rglob("*.parquet"))
    whole = table.read_bytes()
    for left in (whole[:100], whole[:4] + bytes(500) + whole[504:], None):
        if left is None:
            table.unlink()
        else:
            table.write_bytes(left)
        said = call(tmp_path, "select * from events", "--format", "csv")
        assert said.exit_code == 3
        assert re.search(r"error .*: a table cannot be read: ", said.output)


def test_a_reader_that_has_seen_enough_is_no_error(results: str) -> None:
    words = [sys.executable, "-m", "pipeline", "query", results]
    sql = "select repeat('x', 1000) as x from events, events as more"
    asking = subprocess.Popen(
        [*words, sql, "--format", "csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert asking.stdout is not None
    assert asking.stderr is not None
    with asking, asking.stdout as answer:
        assert answer.readline() == b"x\n"
        answer.close()
        assert asking.stderr.read() == b""
    assert asking.returncode == 0


def test_where_no_job_was_it_says_so(tmp_path: Path) -> None:
    said = call(tmp_path, "select 1")
    assert said.exit_code == 2
    assert "no results of `witness batch` lie there" in said.output


def test_results_in_a_bucket_are_asked_the_same_way() -> None:
    write_results(open_store("memory://query-bucket/results"))
    asked = Results(open_store("memory://query-bucket/results"))
    assert answer(asked, "select count(*) as n from events") == [{"n": 133}]
    one = "select count(*) as n from ledger where source = 'gate.mp4'"
    assert answer(asked, one) == [{"n": 2}]
