import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError
from pipeline.lanes import LaneConfig
from pipeline.run.job import Job, build_lanes, config_hash
from pipeline.run.runtimes import KEPT, check_runtimes, pictures_of, settle_runtimes
from tests.networks import action_lane


def config_with(tmp_path: Path, **told: str) -> RunConfig:
    lane: LaneConfig = action_lane(tmp_path).model_copy(update=told)
    return RunConfig(lanes=(lane,))


def test_auto_becomes_a_name_and_a_job_that_goes_on_keeps_it(tmp_path: Path, film: Path) -> None:
    config, told = config_with(tmp_path, runtime="auto"), list[str]()
    out = tmp_path / "out"
    settled = settle_runtimes(config, "cpu", out, film, told.append)
    assert settled.lanes[0].runtime in ("eager", "onnx", "openvino")
    assert told[0].startswith(f"lane action: runtime {settled.lanes[0].runtime} (eager ")
    kept = json.loads((out / KEPT).read_text())
    (out / KEPT).write_text(json.dumps(dict.fromkeys(kept, "compiled")))
    again = settle_runtimes(config, "cpu", out, film, told.append)
    assert again.lanes[0].runtime == "compiled"
    assert len(told) == 1


def test_a_job_that_leaves_nothing_open_measures_and_writes_nothing(tmp_path: Path) -> None:
    config = config_with(tmp_path, runtime="onnx")
    assert settle_runtimes(config, "cpu", tmp_path / "out", tmp_path, print) is config
    assert not (tmp_path / "out").exists()


def test_auto_is_not_for_bfloat16(tmp_path: Path) -> None:
    config = config_with(tmp_path, runtime="auto", precision="bfloat16")
    with pytest.raises(ConfigError, match="name a runtime for bfloat16"):
        settle_runtimes(config, "cpu", tmp_path / "out", tmp_path, print)


def test_a_runtime_that_cannot_be_used_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lane action: runtime onnx in bfloat16"):
        check_runtimes(config_with(tmp_path, runtime="onnx", precision="bfloat16"), "cpu")
    check_runtimes(config_with(tmp_path, runtime="auto"), "cpu")


def test_the_runtime_is_part_of_what_a_result_depends_on(tmp_path: Path) -> None:
    hashes = set()
    for name in ("eager", "onnx"):
        config = config_with(tmp_path, runtime=name)
        lanes = build_lanes(config, "cpu", offline=True)
        hashes.add(config_hash(Job((), config, tmp_path, "cpu", lanes)))
    assert len(hashes) == 2


def test_pictures_of_a_film_are_some_frames_apart(film: Path) -> None:
    first, second = pictures_of(film, count=2)
    assert first.shape == second.shape
    assert not np.array_equal(first, second)
