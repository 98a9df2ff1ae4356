"""What is wanted: what a file says as it changes, and what was added by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.streams import StreamConfig
from pipeline.errors import ConfigError
from tests.pipeline.run.fleets import TEXT, Fleeting, fleeting


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleeting]:
    with fleeting(tmp_path) as fleet:
        yield fleet


def stream(**said: Any) -> StreamConfig:
    return StreamConfig.model_validate({"url": "rtsp://10.0.0.9/main", **said})


def test_the_file_says_what_is_wanted(fleet: Fleeting) -> None:
    assert fleet.wanted == {"gate": 3, "yard": 5}
    assert fleet.told == []


def test_a_changed_file_adds_changes_and_removes(fleet: Fleeting) -> None:
    before = fleet.supervisor.plans()["gate"]
    fleet.write(TEXT.replace("yard: rtsp://10.0.0.4/main", "door: rtsp://10.0.0.6/main"))
    assert fleet.wanted == {"door": 5, "gate": 3}
    assert fleet.supervisor.plans()["gate"] is before
    fleet.write(TEXT.replace("max_lag_s: 3", "max_lag_s: 4"))
    assert fleet.wanted == {"gate": 4, "yard": 5}


def test_a_file_with_a_mistake_changes_nothing(fleet: Fleeting) -> None:
    fleet.write(TEXT.replace("max_lag_s: 3", "max_lag_s: -3"))
    assert fleet.wanted == {"gate": 3, "yard": 5}
    assert "streams.yaml:4: " in fleet.told[0]
    assert "the streams stay as they are" in fleet.told[0]
    fleet.write(TEXT.replace("max_lag_s: 3", "max_lag_s: 4"))
    assert fleet.wanted["gate"] == 4


def test_a_file_that_is_gone_for_a_moment_changes_nothing(fleet: Fleeting) -> None:
    fleet.path.unlink()
    fleet.desired.look()
    assert fleet.wanted == {"gate": 3, "yard": 5}


def test_a_stream_that_was_added_outlives_changes_of_the_file(fleet: Fleeting) -> None:
    fleet.desired.add("extra", stream(max_lag_s=7))
    fleet.write(TEXT.replace("yard: rtsp://10.0.0.4/main", "door: rtsp://10.0.0.6/main"))
    assert fleet.wanted == {"door": 5, "extra": 7, "gate": 3}


def test_a_stream_of_the_file_that_was_removed_comes_back_with_the_file(fleet: Fleeting) -> None:
    fleet.desired.remove("yard")
    fleet.desired.look()
    assert fleet.wanted == {"gate": 3}
    fleet.write(TEXT + "\n")
    assert fleet.wanted == {"gate": 3, "yard": 5}


def test_a_stream_that_ended_by_itself_is_no_trouble(fleet: Fleeting) -> None:
    fleet.supervisor.drop("yard")
    fleet.write(TEXT.replace("max_lag_s: 3", "max_lag_s: 4"))
    assert fleet.wanted == {"gate": 4}
    fleet.write("lanes: [{kind: sound}]\nstreams: {}\n")
    assert fleet.wanted == {}


def test_shared_things_stay(fleet: Fleeting) -> None:
    fleet.write(TEXT.replace("{kind: sound}", "{kind: action}"))
    kept = "lanes, pool, control, metrics"
    assert fleet.told == [f"{fleet.path}: {kept} change when witness starts anew"]
    assert [lane.name for lane in fleet.supervisor.plans()["yard"].lanes] == ["sound"]


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("yard", {}, "there is a stream called 'yard' already"),
        ("film", {"url": "film.mp4"}, "paths of this machine"),
        ("lost", {"lanes": ["smell"]}, "no lane is called 'smell'"),
        ("fast", {"sampling": {"sound": 2}}, "samples as its network was trained"),
    ],
)
def test_what_may_not_be_added_is_told(
    fleet: Fleeting, name: str, said: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        fleet.desired.add(name, stream(**said))
    assert fleet.wanted == {"gate": 3, "yard": 5}


def test_defaults_do_not_widen_where_an_added_stream_may_lead(tmp_path: Path) -> None:
    with fleeting(tmp_path, TEXT + "defaults: {allow: [loopback, private]}\n") as fleet:
        fleet.desired.add("extra", stream())
        plans = fleet.supervisor.plans()
        assert plans["yard"].address.allow.loopback
        assert not plans["extra"].address.allow.loopback
        assert plans["extra"].address.allow.private


def test_unknown_streams_are_told_with_those_there_are(fleet: Fleeting) -> None:
    for order in (fleet.desired.remove, fleet.desired.restart):
        with pytest.raises(ConfigError, match="no stream is called 'door'; there are gate, yard"):
            order("door")


def test_nothing_begins_any_more_when_everything_ends(fleet: Fleeting) -> None:
    fleet.supervisor.drain()
    with pytest.raises(ConfigError, match="witness is ending"):
        fleet.desired.add("extra", stream())
    assert fleet.wanted == {}
