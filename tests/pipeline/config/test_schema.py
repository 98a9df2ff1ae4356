from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.schema import PoolConfig, RunConfig

SOUND = {"kind": "sound"}


def test_the_plain_config_watches_and_listens_and_writes_everything() -> None:
    config = RunConfig()
    assert [lane.name for lane in config.lanes] == ["action", "instances", "sound"]
    assert config.outputs == ("jsonl", "parquet", "overlay", "report")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"lanes": []}, "no lanes"),
        ({"lanes": [SOUND, SOUND]}, "two lanes are called 'sound'"),
        ({"lanes": [{"kind": "smell"}]}, "'smell'"),
        ({"lanes": [{**SOUND, "name": "../up"}]}, "pattern"),
        ({"lanes": [{**SOUND, "hop_s": -1}]}, "greater than or equal to 0"),
        ({"outputs": ["overlay"]}, "add jsonl"),
        ({"outputs": ["csv"]}, "'jsonl'"),
        ({"pool": {"members": 0}}, "greater than or equal to 1"),
        ({"pool": {"in_flight": "many"}}, "valid integer"),
        ({"lane": []}, "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RunConfig.model_validate(raw)


def test_two_lanes_of_a_kind_need_names_of_their_own() -> None:
    config = RunConfig.model_validate({"lanes": [SOUND, {**SOUND, "name": "night"}]})
    assert [lane.name for lane in config.lanes] == ["sound", "night"]


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        PoolConfig().members = 2  # type: ignore[misc]
