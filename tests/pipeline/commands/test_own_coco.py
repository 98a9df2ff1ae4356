"""Pictures with COCO labels: learnt from, judged, and what will not do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest

from models.card import Card
from tests import own_data
from tests.pipeline.commands.test_own_sounds import call, flat


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of two sizes with a red square in each, and their labels."""
    folder = tmp_path_factory.mktemp("own")
    coco: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "square"}],
    }
    for number in range(10):
        size, left = (64 + 16 * (number % 2), 48), 4 * number
        image = own_data.square(0, left, size, number)
        cv2.imwrite(str(folder / f"{number}.png"), image[..., ::-1])
        polygon = [left, 16, left + 16, 16, left + 16, 32, left, 32]
        picture = {"id": number, "file_name": f"{number}.png"}
        coco["images"].append({**picture, "width": size[0], "height": size[1]})
        label = {"id": number + 1, "image_id": number, "category_id": 1, "bbox": [left, 16, 16, 16]}
        coco["annotations"].append({**label, "segmentation": [polygon]})
    (folder / "squares.json").write_text(json.dumps(coco), encoding="utf-8")
    return folder / "squares.json"


def test_labels_in_a_checkpoint_out_and_judged(labels: Path, tmp_path: Path) -> None:
    result = call("train", "instances", labels, "--steps", "1", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    card = Card.read(tmp_path / "squares.json")
    assert (card.network, card.labels) == ("mask_rcnn", ("square",))
    weights = tmp_path / "squares.safetensors"
    result = call("evaluate", weights, labels, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert told["pictures"] == 10
    assert any(isinstance(value, dict) and value["labelled"] == 10 for value in told.values())


def copied(labels: Path, folder: Path) -> Path:
    shutil.copytree(labels.parent, folder / "copy")
    return folder / "copy" / labels.name


def test_pictures_that_will_not_do_are_told(labels: Path, tmp_path: Path) -> None:
    path = copied(labels, tmp_path)

    def told(*arguments: object) -> str:
        result = call("train", "instances", path, "--out", tmp_path / "out", *arguments)
        assert result.exit_code in {2, 3}, result.output
        return flat(result.output)

    assert "--recipe: not for `instances`" in told("--recipe", "large")
    assert "--class-weights: not for `instances`" in told("--no-class-weights")
    shutil.copy(path.parent / "2.png", path.parent / "4.png")
    assert "the same picture twice: 2.png and 4.png" in told()
    (path.parent / "4.png").write_text("no picture", encoding="utf-8")
    assert "9 images can be used; 10 are needed" in told()
    shutil.copy(path.parent / "3.png", path.parent / "4.png")
    assert "4.png: it is 80x48, its labels are for 64x48" in told()
    path.write_text("{", encoding="utf-8")
    assert "not a COCO JSON file" in told()
    assert not (tmp_path / "out").exists()
