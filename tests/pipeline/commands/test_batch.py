"""What `witness batch` chooses and refuses before it starts."""

import json
from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands.batch import gated
from pipeline.config.schema import RunConfig
from pipeline.lanes import LaneConfig
from pipeline.lanes.packet_gate import VectorGateConfig
from tests import clips, networks


def planned(tmp_path: Path, lane: LaneConfig, *more: str) -> tuple[int, str]:
    """Exit code and output of a dry run over one short clip."""
    videos = tmp_path / "videos"
    videos.mkdir()
    clips.make(videos, clips.Recipe("mp4", clips.Picture(), clips.Sound()))
    config = tmp_path / "yard.yaml"
    told = {"lanes": [lane.model_dump(exclude_none=True, mode="json")]}
    config.write_text(json.dumps(told), encoding="utf-8")  # JSON is YAML
    words = ["batch", str(videos), "--out", str(tmp_path / "results"), "--config", str(config)]
    done = CliRunner().invoke(app, [*words, "--dry-run", *more])
    return done.exit_code, " ".join(done.output.split())


def test_a_scan_is_chosen_by_cost_and_told_unless_one_is_named(tmp_path: Path) -> None:
    code, said = planned(tmp_path, networks.action_lane(tmp_path))
    assert code == 0, said
    assert "scan: packets (h264, a key frame every 0.4 s" in said


def test_a_named_scan_is_not_talked_about(tmp_path: Path) -> None:
    code, said = planned(tmp_path, networks.action_lane(tmp_path), "--scan", "off")
    assert code == 0, said
    assert "scan:" not in said


def test_features_need_a_lane_that_has_some(tmp_path: Path) -> None:
    code, said = planned(tmp_path, networks.sound_lane(tmp_path), "--also", "features")
    assert code == 2
    assert "only a lane of kind `action`" in said


def test_a_damaged_job_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "job.json").write_bytes(b'{"asked": ')
    code, said = planned(tmp_path, networks.sound_lane(tmp_path))
    assert code == 2
    assert "job.json is damaged; remove it, and start again" in said


def test_a_scan_by_vectors_gates_the_lanes_that_have_no_gate() -> None:
    config = RunConfig()
    gates = {lane.kind: lane.model_dump().get("gate") for lane in gated(config, "vectors").lanes}
    vectors = VectorGateConfig().model_dump()
    assert gates == {"action": vectors, "instances": vectors, "sound": None}
    assert gated(config, "packets") == config


def test_a_gate_of_the_config_stays() -> None:
    first, *rest = RunConfig().lanes
    own = first.model_copy(update={"gate": VectorGateConfig(hold_s=9)})
    config = RunConfig().model_copy(update={"lanes": (own, *rest)})
    assert gated(config, "vectors").lanes[0] == own
