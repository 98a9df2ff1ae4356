from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batch.done import Done
from pipeline.batch.inputs import Input
from pipeline.batch.unit import key_of
from tests.pipeline.batch.jobs import HASH

VIDEO = Input("yard", "/yard.mp4", "1-1", 1, "unknown")
OTHER = "ba9876543210"


def name(video: Input, config: str = HASH) -> str:
    return f"units/{key_of(video, config)}.json"


@given(
    finished=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), unique=True),
    asked=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_a_video_s_finished_versions_are_found_and_no_others(
    finished: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    videos = [replace(VIDEO, source=f"s{s}", version=f"v{v}") for s, v in finished]
    done = Done([name(video) for video in videos], HASH)
    video = replace(VIDEO, source=f"s{asked[0]}", version=f"v{asked[1]}")
    same = [key_of(other, HASH) for other in videos if other.source == video.source]
    assert len(done) == len(finished)
    assert sorted(done.keys_of(video)) == sorted(same)
    assert (key_of(video, HASH) in done.keys_of(video)) == (asked in finished)


def test_keys_with_noughts_in_front_stay_as_they_are() -> None:
    videos = [replace(VIDEO, version=str(number)) for number in range(2000)]
    keys = sorted(key_of(video, HASH) for video in videos)
    assert any(key[20] == "0" for key in keys)
    assert sorted(Done(map(name, videos), HASH).keys_of(VIDEO)) == keys


def test_results_of_another_config_do_not_count() -> None:
    done = Done([name(VIDEO, OTHER)], HASH)
    assert len(done) == 0
    assert done.keys_of(VIDEO) == []
