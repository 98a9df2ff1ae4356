"""`witness plan` as somebody types it."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from pipeline.cli import app
from tests.pipeline.plan.known import COSTS


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, words)])


def test_it_shows_what_to_get_and_what_it_assumes() -> None:
    words = ["--streams", 200, "--fps", 2, "--size", "1080p", "--camera-fps", 15]
    done = call(*words, "--gated", 0.8, "--cores-per-node", 16)
    assert done.exit_code == 0, done.output
    told = re.sub(r"\s+", " ", done.output)
    assert re.search(r"get \d+ cores and [\d.]+ GiB", told)
    for part in ("readers", "pool members", "Mbit/s", "GB a day", "nodes of this kind", "assumed:"):
        assert part in told
    assert "GPU" not in told


def test_for_programs_it_is_json_by_the_costs_of_a_file(tmp_path: Path) -> None:
    COSTS.write(tmp_path / "costs.json")
    words = ["--streams", 10, "--size", "360p", "--lanes", "sound", "--json"]
    done = call(*words, "--costs", tmp_path / "costs.json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["wish"]["lanes"] == ["sound"]
    assert told["plan"]["windows_per_s"] == {"sound": 20.0}
    assert told["plan"]["assumptions"]


def test_sizes_lanes_and_costs_that_are_none_are_told(tmp_path: Path) -> None:
    for words in (
        ["--size", "8k"],
        ["--lanes", "smell"],
        ["--costs", tmp_path / "none.json"],
    ):
        done = call("--streams", 1, *words)
        assert done.exit_code == 2
        assert "error" in done.output
        assert "Traceback" not in done.output
