"""Coloured shapes: learnt from, judged, and a killed run that goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from models.card import Card, CheckpointError
from models.checkpoint import load, save
from models.mask_rcnn import Segmenter, build
from models.runtime.base import Precision
from models.training.augmenter import Augmenter
from models.training.errors import TrainingError
from models.training.instance_data import labelled_frames
from models.training.instance_loss import LossOf
from models.training.instance_recipes import InstanceRecipe
from models.training.instance_start import begin_with
from models.training.own_instances import (
    TrainedInstances,
    _batches,
    train_own_instances,
)
from models.training.settings import Settings, Workplace
from tests.models.training import toy_shapes

TINY = InstanceRecipe(
    Settings(steps=8, batch=2, learning_rate=5e-3, ema=0.9, check_every=4, seed=1),
    {"body": "compact", "channels": [8, 8, 16, 16, 16], "out_channels": 16, "hidden": 16},
    short_px=64,
    crop_px=64,
    halved=True,
)
ANCHORS = {"anchor_sizes": [[16.0], [32.0], [64.0]], "anchor_ratios": [1.0]}
PARTS = toy_shapes.parts()


def train(place: Workplace, recipe: InstanceRecipe = TINY) -> TrainedInstances:
    return train_own_instances(PARTS, toy_shapes.frames, recipe, place, {"name": "toy"}, "toy")


def changed(recipe: InstanceRecipe = TINY, **settings: object) -> InstanceRecipe:
    return replace(recipe, settings=replace(recipe.settings, **settings))


def killed_at(last: int) -> Callable[[str, int, float], None]:
    def watch(name: str, step: int, value: float) -> None:
        if step == last:
            raise KeyboardInterrupt

    return watch


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_losses(tmp_path: Path) -> None:
    whole = train(Workplace(tmp_path / "a"))
    place = Workplace(tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        train(replace(place, watch=killed_at(6)))
    assert not (tmp_path / "b" / "toy.safetensors").exists()
    resumed = train(replace(place, resume=True))
    assert resumed.log.losses == whole.log.losses
    assert resumed.log.scores == whole.log.scores
    first, second = (load(tmp_path / run / "toy.safetensors")[1] for run in "ab")
    assert all(torch.equal(first[name], second[name]) for name in first)
    told = whole.card.training
    assert (told["steps_done"], told["start"], told["precision"]) == (8, "scratch", "float32")
    assert told["labels"]["disc"] == {"train": 4, "validation": 1, "test": 1}
    assert "dropout" not in told


def test_a_run_goes_on_with_the_same_recipe_only(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Workplace(tmp_path, watch=killed_at(5)))
    for other in (changed(learning_rate=1e-3), replace(TINY, crop_px=48)):
        with pytest.raises(TrainingError, match="other data or settings"):
            train(Workplace(tmp_path, resume=True), other)


def test_a_loss_that_is_no_number_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan at step .*; lower the learning rate"):
        train(Workplace(tmp_path), changed(learning_rate=1e30, steps=6, ema=None))


def test_patience_ends_a_run(tmp_path: Path) -> None:
    idle = changed(learning_rate=1e-12, patience=1, check_every=1, ema=None, schedule="step")
    trained = train(Workplace(tmp_path), idle)
    assert trained.card.training["steps_done"] == 2


def test_the_body_learns_in_half_precision_and_the_loss_stays_whole() -> None:
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    torch.manual_seed(0)
    network = build({**TINY.body, "classes": 2, **ANCHORS})
    card = Card("toy", "mask_rcnn", ("square", "disc"), {}, {"min_size": 64})
    data = list(labelled_frames(toy_shapes.frames(PARTS["train"]), PARTS["train"].coco, 64))
    batch = next(Augmenter(data, 0, crop_px=64).batches(2))
    values = []
    for precision in precisions:
        loss = LossOf(Segmenter(network, card), precision)
        torch.manual_seed(1)
        values.append(loss(network.train(), batch).detach())
    assert {value.dtype for value in values} == {torch.float32}
    first, second = (float(value) for value in values)
    assert first != second
    assert second == pytest.approx(first, rel=0.05)


def test_rare_kinds_are_shown_more_often() -> None:
    data = list(labelled_frames(toy_shapes.frames(PARTS["train"]), PARTS["train"].coco, 64))

    def share_of_discs(recipe: InstanceRecipe) -> float:
        labels = [
            label
            for number in range(3)
            for _, targets in islice(_batches(data, recipe, number), 20)
            for target in targets
            for label in target["labels"].tolist()
        ]
        return labels.count(2) / len(labels)

    plain = share_of_discs(changed(class_weights=False))
    assert share_of_discs(changed(class_weights=True)) > 1.15 * plain


def test_masks_and_boxes_of_a_lesson_fit_its_pictures() -> None:
    data = list(labelled_frames(toy_shapes.frames(PARTS["train"]), PARTS["train"].coco, 64))
    pictures, targets = next(_batches(data, changed(batch=24), 0))
    assert pictures.shape == (24, 64, 64, 3)
    checked = 0
    for picture, target in zip(pictures.astype(float), targets, strict=True):
        for label, mask in zip(target["labels"].tolist(), target["masks"].numpy(), strict=True):
            red, _, blue = picture[mask > 0].mean(0)
            assert (red > blue) == (label == 1)
            checked += 1
    assert checked > 12


@pytest.mark.parametrize("start", ["toy", "other"])
def test_a_checkpoint_can_be_what_a_run_begins_with(start: str, tmp_path: Path) -> None:
    body = TINY.body if start == "toy" else {**TINY.body, "channels": [8, 8, 8, 8, 8]}
    architecture = {**body, "classes": 5, **ANCHORS}
    torch.manual_seed(3)
    given = build(architecture)
    labels = tuple("abcde")
    card = Card("given", "mask_rcnn", labels, architecture, {"min_size": 64})
    save(tmp_path / "given.safetensors", given.state_dict(), card)
    network = build({**TINY.body, "classes": 2, **ANCHORS})
    if start == "other":
        with pytest.raises(CheckpointError, match="of another body: backbone"):
            begin_with(network, {}, str(tmp_path / "given.safetensors"))
        return
    fresh = begin_with(network, {}, str(tmp_path / "given.safetensors"))
    own, old = network.state_dict(), given.state_dict()
    assert all(torch.equal(own[name], old[name]) for name in own if name not in fresh)
    assert {name.split(".")[1] for name in fresh} == {"box_predictor", "mask_predictor"}
