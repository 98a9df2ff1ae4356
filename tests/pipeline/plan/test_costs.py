"""Costs as a file, and those that ship."""

from pathlib import Path

import pytest

from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError
from pipeline.plan.costs import SHIPPED, SIZES, read_costs
from tests.pipeline.plan.known import COSTS


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    COSTS.write(tmp_path / "costs.json")
    assert read_costs(tmp_path / "costs.json") == COSTS


def test_those_that_ship_know_every_lane_and_size() -> None:
    costs = read_costs()
    assert set(costs.sizes) == set(SIZES)
    assert set(costs.lanes) == {lane.name for lane in RunConfig().lanes}
    assert "Xeon" in costs.machine.processor
    assert SHIPPED.is_file()
    small, large = costs.sizes["360p"], costs.sizes["1080p"]
    assert 0 < small.frame_ms < large.frame_ms
    assert 0 < small.reader_mib < large.reader_mib
    assert all(
        0 < lane.journey_ms < lane.full_ms <= 1.5 * lane.call_ms for lane in costs.lanes.values()
    )


@pytest.mark.parametrize("text", ["{", "{}", '{"format": 1}', "[1]"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no costs"):
        read_costs(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_costs(tmp_path / "none.json")
