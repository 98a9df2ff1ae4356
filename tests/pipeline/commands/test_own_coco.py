"""Pictures with COCO labels: learnt from, judged, and what will not do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from models.card import Card
from models.checkpoint import save
from models.mask_rcnn import build
from models.runtime import eager
from models.training import own_instances
from tests.models.training import toy_shapes
from tests.networks import INSTANCES
from tests.pipeline.commands.test_own_sounds import call, flat

pytestmark = pytest.mark.slow

SMALL = ["--recipe", "compact-small", "--batch", "2"]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of two sizes with squares, polygons, and discs, run lengths; and a crowd."""
    folder = tmp_path_factory.mktemp("own")
    dataset = toy_shapes.dataset(12)
    for number, image in toy_shapes.frames(dataset):
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
    annotations = []
    for one in dataset.coco["annotations"]:
        x, y, width, height = one["bbox"]
        corners = [x, y, x + width, y, x + width, y + height, x, y + height]
        runs = {**one["segmentation"], "counts": one["segmentation"]["counts"]}
        outline: Any = [corners] if one["category_id"] == 1 else runs
        plain = {key: one[key] for key in ("id", "image_id", "category_id")}
        annotations.append({**plain, "segmentation": outline})
    annotations.append({**annotations[0], "id": 99, "iscrowd": 1})
    path = folder / "shapes.json"
    path.write_text(json.dumps({**dataset.coco, "annotations": annotations}), encoding="utf-8")
    return path


def test_labels_in_a_checkpoint_out(labels: Path, tmp_path: Path) -> None:
    options = ["--steps", "2", "--tensorboard", "--ema", "0.5", "--schedule", "step"]
    result = call("train", "instances", labels, *SMALL, *options, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "pictures: 7 train, 2 validation, 3 test" in flat(result.output)
    assert "on held-out data, by pycocotools" in flat(result.output)
    card = Card.read(tmp_path / "shapes.json")
    assert (card.network, card.labels) == ("mask_rcnn", ("square", "disc"))
    assert (card.training["ema"], card.training["schedule"]) == (0.5, "step")
    assert {"box_AP", "mask_AP50", "labels"} <= card.heldout.keys()
    assert {"curves.png", "worst.png"} <= {path.name for path in tmp_path.iterdir()}
    assert list((tmp_path / "tensorboard").iterdir())
    assert not (tmp_path / "run.safetensors").exists()


def test_a_killed_run_goes_on(labels: Path, tmp_path: Path, monkeypatch: Any) -> None:
    command = ["train", "instances", labels, *SMALL, "--steps", "2", "--check-every", "1"]
    batches = own_instances._batches
    made: list[int] = []

    def killed(*arguments: Any) -> Any:
        for batch in batches(*arguments):
            made.append(1)
            if len(made) == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(own_instances, "_batches", killed)
    result = call(*command, "--out", tmp_path / "killed")
    assert result.exit_code == 130, result.output
    assert "give the same command with --resume to go on" in flat(result.output)
    monkeypatch.undo()
    result = call(*command, "--out", tmp_path / "killed", "--resume")
    assert result.exit_code == 0, result.output
    assert "keeps no run" not in flat(result.output)
    card = Card.read(tmp_path / "killed" / "shapes.json")
    assert card.training["steps_done"] == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--recipe", "large"], "--recipe large: there are compact, compact-small, fpn"),
        (["--trunk", "resnet18"], "--trunk resnet18: the compact body is its own"),
        (["--weights", "coco"], "--weights coco: they are of a ResNet-50"),
        (["--precision", "half"], "--precision half: there are float32, bfloat16"),
        (["--precision", "bfloat16"], "--precision bfloat16: this CPU has no bfloat16"),
        (["--dropout", "0.2"], "--dropout: a Mask R-CNN here has none"),
        (["--label-smoothing", "0.1"], "--label-smoothing: a Mask R-CNN here has none"),
        (["--schedule", "steep"], "--schedule steep: there are one_cycle, cosine, linear, step"),
        (["--ema", "1"], "--ema 1.0: it is from 0 to below 1"),
        (["--patience", "0"], "--patience 0: at least 1 check"),
        (["--root", "nowhere"], "--root nowhere: no such folder"),
    ],
)
def test_options_that_cannot_be_are_told(
    options: list[str], why: str, labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eager, "has_bfloat16", lambda: False)
    result = call("train", "instances", labels, "--out", tmp_path / "out", *options)
    assert result.exit_code == 2, result.output
    assert why in flat(result.output)
    assert not (tmp_path / "out").exists()


def test_other_networks_take_no_options_of_masks(tmp_path: Path) -> None:
    for label in ("red", "blue"):
        (tmp_path / label).mkdir()
        for number in range(3):
            image, _ = toy_shapes.picture(number + 10 * len(label), ["square"])
            cv2.imwrite(str(tmp_path / label / f"{number}.png"), image)
    result = call("train", "frames", tmp_path, "--precision", "bfloat16", "--out", tmp_path / "o")
    assert result.exit_code == 2, result.output
    assert "--precision: not for `frames`" in flat(result.output)


def copied(labels: Path, folder: Path) -> Path:
    shutil.copytree(labels.parent, folder / "copy")
    return folder / "copy" / labels.name


def test_pictures_that_will_not_do_are_told(labels: Path, tmp_path: Path) -> None:
    path = copied(labels, tmp_path)

    def told(*arguments: object) -> str:
        result = call("train", "instances", path, "--out", tmp_path / "out", *arguments)
        assert result.exit_code == 3, result.output
        return flat(result.output)

    shutil.copy(path.parent / "2.png", path.parent / "4.png")
    assert "the same picture twice: 2.png and 4.png" in told()
    for number in (4, 5, 6):
        (path.parent / f"{number}.png").write_text("no picture", encoding="utf-8")
    assert "9 images can be used; 10 are needed" in told()
    shutil.copy(path.parent / "3.png", path.parent / "4.png")
    assert "4.png: it is 96x64, its labels are for 80x72" in told()
    path.write_text("{", encoding="utf-8")
    assert "not a COCO JSON file" in told()
    assert not (tmp_path / "out").exists()


def without_discs_but_two(coco: dict[str, Any]) -> None:
    discs = [one for one in coco["annotations"] if one["category_id"] == 2]
    coco["annotations"] = [one for one in coco["annotations"] if one not in discs[2:]]


def outside(coco: dict[str, Any]) -> None:
    coco["annotations"][0]["segmentation"] = [[90, 10, 120, 10, 120, 30]]


def small(coco: dict[str, Any]) -> None:
    for one in coco["annotations"]:
        one["segmentation"] = [[4, 4, 7, 4, 7, 7]]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without_discs_but_two, "disc: 2 file(s) or group(s) that differ; 3 are needed"),
        (outside, "reaches outside its picture: (90, 10) in 80x72"),
        (small, "has a label that is large enough: nothing can be learnt"),
    ],
)
def test_labels_that_will_not_do_are_told(
    change: Callable[[dict[str, Any]], None], why: str, labels: Path, tmp_path: Path
) -> None:
    coco = json.loads(labels.read_text(encoding="utf-8"))
    change(coco)
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps(coco), encoding="utf-8")
    result = call("train", "instances", path, "--root", labels.parent, "--out", tmp_path / "out")
    assert result.exit_code == 3, result.output
    assert why in flat(result.output)


def test_only_labels_that_both_know_are_judged(labels: Path, tmp_path: Path) -> None:
    architecture = {**INSTANCES, "classes": 2}
    torch.manual_seed(0)
    card = Card("toy", "mask_rcnn", ("square", "cup"), architecture, {"min_size": 64})
    weights = tmp_path / "toy.safetensors"
    save(weights, build(architecture).state_dict(), card)
    result = call("evaluate", weights, labels, "--out", tmp_path)
    assert result.exit_code == 3, result.output
    assert "the data has disc, which toy does not know; it knows square, cup" in flat(result.output)
    coco = json.loads(labels.read_text(encoding="utf-8"))
    coco["categories"] = coco["categories"][:1]
    coco["annotations"] = [one for one in coco["annotations"] if one["category_id"] == 1][:2]
    coco["images"] = coco["images"][:3]
    path = tmp_path / "few.json"
    path.write_text(json.dumps(coco), encoding="utf-8")
    result = call("evaluate", weights, path, "--root", labels.parent, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "not judged, the data has no such category: cup" in flat(result.output)
    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert told["pictures"] == 3
    assert told["labels"].keys() == {"square"}
    figures = {"labels", "box_AP", "box_AP50", "mask_AP", "mask_AP50"}
    assert told["labels"]["square"].keys() == figures
    assert cv2.imread(str(tmp_path / "worst.png")) is not None
