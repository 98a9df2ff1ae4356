from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.batch.cutter import Cutter
from pipeline.batch.inputs import find_inputs
from pipeline.batch.unit import Unit
from pipeline.errors import SourceUnreadable
from pipeline.lane import Lane
from pipeline.media.scan import ScanSettings
from pipeline.testing import brightness_lane, loudness_lane
from tests import clips
from tests.pipeline.batch.jobs import divisible, plain_job

LOOKS, LISTENS = divisible(brightness_lane()), loudness_lane()


def film(folder: Path, ending: str = "mp4", gop: int = 10) -> Unit:
    """Four seconds."""
    picture = replace(clips.at_rate(Fraction(10), 4), gop=gop)
    recipe = clips.Recipe(ending, picture, clips.Sound(seconds=Fraction(4)))
    [video] = find_inputs([str(clips.make(folder, recipe))])
    return Unit(video)


def parts(folder: Path, unit: Unit, *lanes: Lane, each: int = 1, **rules: object) -> list[str]:
    job = plain_job(folder / "results", lanes, segment_s=Fraction(each), **rules)
    return [
        "whole" if u.part is None else f"{u.part.medium} {u.part.begin}"
        for u in Cutter(job).units(unit)
    ]


def test_a_long_video_is_cut_and_its_sound_is_one_part(media: Path, tmp_path: Path) -> None:
    unit = film(media)
    stretches = ["video 0", "video 1", "video 2", "video 3"]
    assert parts(tmp_path, unit, LOOKS, LISTENS) == [*stretches, "audio 0"]
    assert parts(tmp_path, unit, LOOKS) == stretches
    assert parts(tmp_path, unit, LOOKS, each=2) == ["video 0", "video 2"]


def test_it_stays_whole_when_it_is_short_or_only_listened_to(media: Path, tmp_path: Path) -> None:
    unit = film(media)
    assert parts(tmp_path, unit, LOOKS, LISTENS, each=3) == ["whole"]
    assert parts(tmp_path, unit, LISTENS) == ["whole"]


def test_it_stays_whole_when_its_lane_remembers_or_it_is_scanned(
    media: Path, tmp_path: Path
) -> None:
    unit = film(media)
    assert parts(tmp_path, unit, brightness_lane(), LISTENS) == ["whole"]
    assert parts(tmp_path, unit, LOOKS, scan=ScanSettings()) == ["whole"]


@pytest.mark.parametrize(("ending", "gop"), [("ts", 10), ("mp4", 40)])
def test_it_stays_whole_when_nobody_can_jump_into_it(
    ending: str, gop: int, media: Path, tmp_path: Path
) -> None:
    assert parts(tmp_path, film(media, ending, gop), LOOKS) == ["whole"]


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing" * 9)
    [video] = find_inputs([str(tmp_path / "a.mp4")])
    with pytest.raises(SourceUnreadable):
        parts(tmp_path, Unit(video), LOOKS)
    assert parts(tmp_path, Unit(replace(video, trouble="gone")), LOOKS) == ["whole"]
