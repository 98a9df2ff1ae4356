from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError, LaneError
from pipeline.lanes.sound import SoundLane
from pipeline.run.job import Job, Source, build_lanes, choose_device, config_hash, name_sources
from pipeline.testing import brightness_lane, loudness_lane

JOB = Job((), RunConfig(), Path("out"), "cpu", (brightness_lane(),))


def test_streams_are_named_after_their_files_and_differ() -> None:
    sources = name_sources(["yard.mp4", "night/yard.mkv", "gate one.mp4", "other/yard.ts"])
    assert [source.stream for source in sources] == ["yard", "yard-2", "gate-one", "yard-3"]
    assert sources[1] == Source("yard-2", "night/yard.mkv")


def test_names_may_be_given() -> None:
    assert name_sources(["a.mp4", "b.mp4"], ["x", "x"])[1] == Source("x-2", "b.mp4")


def test_a_stream_name_holds_no_password() -> None:
    (source,) = name_sources(["rtsp://user:secret@10.0.0.1:554/gate"])
    assert "secret" not in source.stream and "user" not in source.stream


def test_an_address_that_cannot_be_opened_still_has_a_name() -> None:
    sources = name_sources(["lavfi:testsrc", "yard.mp4"])
    assert [source.stream for source in sources] == ["stream", "yard"]


def test_missing_weights_are_a_lane_error() -> None:
    lane = SoundLane(kind="sound", weights="nowhere.safetensors")
    with pytest.raises(LaneError, match="no such checkpoint"):
        build_lanes(RunConfig(lanes=(lane,)), "cpu", offline=True)


def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device("cpu") == "cpu"
    if torch.cuda.is_available():
        assert choose_device("cuda") == choose_device("auto") == "cuda"
    else:
        assert choose_device("auto") == "cpu"
        with pytest.raises(ConfigError, match="torch sees no CUDA device"):
            choose_device("cuda")


def test_the_hash_follows_what_a_result_depends_on() -> None:
    same = replace(JOB, sources=(Source("a", "a.mp4"),), out=Path("elsewhere"))
    card = replace(JOB.lanes[0].card, sha256="1" * 64)
    others = [
        replace(JOB, device="cuda"),
        replace(JOB, lanes=(loudness_lane(),)),
        replace(JOB, lanes=(replace(JOB.lanes[0], card=card),)),
        replace(JOB, config=RunConfig(lanes=(SoundLane(kind="sound", hop_s=1.0),))),
    ]
    assert config_hash(same) == config_hash(JOB)
    assert len({config_hash(job) for job in [JOB, *others]}) == 5
