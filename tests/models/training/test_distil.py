from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.card import Card, CheckpointError
from models.checkpoint import load
from models.training.clip_recipes import ClipRecipe
from models.training.distil import (
    Teacher,
    frame_ms,
    frame_teacher,
    hop_ms,
    parameters,
    sound_teacher,
)
from models.training.errors import TrainingError
from models.training.label_loss import Softened
from models.training.own_clips import train_own_clips
from models.training.own_sounds import train_own_sounds
from models.training.settings import Trained, Workplace
from models.wavenet import WaveNet
from tests.models.training import test_own_clips, test_own_sounds

FRAMES = replace(
    test_own_clips.TINY,
    head={"name": "vote", "hidden": 32, "window": 1},
    length=1,
    settle=0,
    least=1,
    settings=replace(test_own_clips.TINY.settings, dropout=0.0, batch=8, steps=60),
)
NARROW = replace(FRAMES, head={"name": "vote", "hidden": 8, "window": 1})


def frames(out: Path, recipe: ClipRecipe, teacher: Teacher | None = None) -> Trained:
    parts, clips = test_own_clips.made()
    place = Workplace(out)
    return train_own_clips(parts, clips, recipe, recipe.settings, place, {}, "x", teacher)


def sounds(out: Path, teacher: Teacher | None = None, rate: int | None = None) -> Trained:
    parts, recordings = test_own_sounds.made()
    recipe, place = test_own_sounds.TINY, Workplace(out)
    if rate is not None:
        recipe = replace(recipe, sample_rate=rate)
    return train_own_sounds(parts, recordings, recipe, recipe.settings, place, {}, "x", teacher)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frames(tmp_path_factory.mktemp("teacher"), FRAMES).path


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds(tmp_path_factory.mktemp("teacher")).path


@pytest.mark.slow
def test_a_narrow_student_learns_from_its_teacher_alone(seeing: Path, tmp_path: Path) -> None:
    teacher = frame_teacher(seeing, Softened(1.0, 2.0))
    before = {name: one.clone() for name, one in teacher.network.state_dict().items()}
    trained = frames(tmp_path, NARROW, teacher)
    assert trained.test.accuracy == 1.0
    assert all(torch.equal(before[name], one) for name, one in teacher.network.state_dict().items())
    card, state = load(trained.path)
    assert not any(one.startswith("teacher") for one in state)
    assert card.training["distilled"] == {
        "teacher": "x",
        "sha256": Card.read(seeing.with_suffix(".json")).sha256,
        "weight": 1.0,
        "temperature": 2.0,
    }
    expert, student = trained.compared
    assert expert.scores.accuracy == 1.0 and student.scores is trained.test
    assert 0 < student.parameters < expert.parameters
    assert student.ms > 0 and (student.unit, expert.name) == ("frame", "x (teacher)")


def test_a_teacher_that_takes_other_pictures_gets_them(seeing: Path, tmp_path: Path) -> None:
    recipe = replace(NARROW, settings=replace(NARROW.settings, steps=2))
    wide = replace(recipe, cnn={**recipe.cnn, "width": 32, "height": 16})
    parts, clips = test_own_clips.made()
    larger = {one: film.repeat(2, 1).repeat(2, 2) for one, film in clips.frames.items()}
    teacher = frame_teacher(seeing, Softened())
    trained = train_own_clips(
        parts, replace(clips, frames=larger), wide, wide.settings, Workplace(tmp_path), {}, "x",
        teacher,
    )  # fmt: skip
    assert trained.compared[0].scores.accuracy == 1.0


@pytest.mark.slow
def test_a_teacher_that_does_not_count_changes_nothing(hearing: Path, tmp_path: Path) -> None:
    plain = sounds(tmp_path / "plain")
    taught = sounds(tmp_path / "taught", sound_teacher(hearing, Softened(0.0, 2.0)))
    assert taught.log.losses == plain.log.losses
    first, second = (load(one.path)[1] for one in (plain, taught))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = sounds(tmp_path / "other", sound_teacher(hearing, Softened(0.5, 2.0)))
    assert other.log.losses != plain.log.losses
    assert other.compared[0].unit == "hop"


def test_labels_may_be_in_another_order_but_not_others(hearing: Path, tmp_path: Path) -> None:
    teacher = sound_teacher(hearing, Softened())
    assert teacher.columns(("ring", "background", "hiss")) == [2, 0, 1]
    message = "other labels than the data: hiss, horn: only one of them knows that"
    with pytest.raises(TrainingError, match=message):
        teacher.columns(("background", "ring", "horn"))


def test_a_teacher_of_another_kind_is_refused(seeing: Path, hearing: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a checkpoint of a wavenet is wanted"):
        sound_teacher(seeing, Softened())
    with pytest.raises(CheckpointError, match="a checkpoint of a action is wanted"):
        frame_teacher(hearing, Softened())
    settings = replace(test_own_clips.TINY.settings, steps=1)
    sequences = frames(tmp_path, replace(test_own_clips.TINY, settings=settings))
    with pytest.raises(TrainingError, match=r"it judges sequences \(gru\)"):
        frame_teacher(sequences.path, Softened())


def test_a_teacher_at_another_rate_is_refused(hearing: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="hears 8000 Hz in hops of 800, the recipe 16000 Hz"):
        sounds(tmp_path, sound_teacher(hearing, Softened()), rate=16_000)


def test_costs_are_of_one_stream(seeing: Path) -> None:
    network = WaveNet(2, 8000, 800, 100, 200, bands=8, channels=4, skips=4, dilations=[1])
    assert 0 < hop_ms(network) < 1000
    assert parameters(network) == sum(one.numel() for one in network.parameters())
    teacher = frame_teacher(seeing, Softened()).network
    assert not any(one.requires_grad for one in teacher.parameters())
    assert 0 < frame_ms(teacher) < 1000  # type: ignore[arg-type]
