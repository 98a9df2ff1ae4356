import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.training.coco_dataset import pad, read_coco
from models.training.dataset import DatasetError
from models.training.instance_data import decode

POLYGON = [[2.0, 2.0, 8.0, 2.0, 8.0, 6.0, 2.0, 6.0]]


def coco(count: int = 10) -> dict[str, Any]:
    """Images of two sizes with one box each."""
    images = [
        {"id": n, "file_name": f"{n}.png", "width": 16 + n % 2 * 4, "height": 12}
        for n in range(count)
    ]
    labels = [
        {"id": n, "image_id": n, "category_id": 5, "segmentation": POLYGON} for n in range(count)
    ]
    return {"images": images, "annotations": labels, "categories": [{"id": 5, "name": "box"}]}


def written(folder: Path, labels: Any) -> Path:
    path = folder / "labels.json"
    path.write_text(labels if isinstance(labels, str) else json.dumps(labels), encoding="utf-8")
    return path


def test_labels_are_read_with_the_files_of_their_pictures(tmp_path: Path) -> None:
    dataset = read_coco(written(tmp_path, coco()), tmp_path / "pictures")
    assert dataset.files[3] == tmp_path / "pictures" / "3.png"
    assert dataset.size == (20, 12)
    assert dataset.counts() == {"box": 10}
    fewer = dataset.without({3})
    assert 3 not in fewer.files and fewer.counts() == {"box": 9}


def test_pictures_and_masks_are_padded_to_one_size(tmp_path: Path) -> None:
    padded = read_coco(written(tmp_path, coco())).padded()
    assert {(one["width"], one["height"]) for one in padded["images"]} == {(20, 12)}
    for one in padded["annotations"]:
        mask = decode(one, (20, 12))
        assert mask[2:6, 2:8].all() and mask.sum() == 24
    grown = pad(np.full((12, 16, 3), 9, np.uint8), (20, 12))
    assert grown.shape == (12, 20, 3) and (grown[:, :16] == 9).all() and not grown[:, 16:].any()


def spoilt(change: str) -> dict[str, Any]:
    made = coco()
    match change:
        case "few":
            made["images"] = made["images"][:3]
            made["annotations"] = made["annotations"][:3]
        case "image":
            made["annotations"][0]["image_id"] = 99
        case "category":
            made["annotations"][0]["category_id"] = 99
        case "empty":
            made["categories"].append({"id": 6, "name": "cat"})
        case "twice":
            made["images"].append(made["images"][0])
        case "size":
            del made["images"][0]["width"]
        case "file":
            del made["images"][0]["file_name"]
    return made


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ("{", "not a COCO JSON file that can be read"),
        ([], "lists of images, annotations and categories"),
        ({"images": {}, "annotations": [], "categories": []}, "lists of images"),
        (spoilt("few"), "3 images; at least 10 are needed"),
        (spoilt("image"), "a label is of image 99, which is not there"),
        (spoilt("category"), "a label is of category 99, which is not there"),
        (spoilt("empty"), "the category cat has no label"),
        (spoilt("twice"), "occurs twice"),
        (spoilt("size"), "not whole: 'width' is missing"),
        (spoilt("file"), "not whole: 'file_name' is missing"),
    ],
)
def test_labels_that_will_not_do_are_told(labels: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=why):
        read_coco(written(tmp_path, labels))


def test_a_label_without_a_mask_is_told(tmp_path: Path) -> None:
    made = coco()
    del made["annotations"][0]["segmentation"]
    dataset = read_coco(written(tmp_path, made))
    with pytest.raises(DatasetError, match="has no mask"):
        dataset.padded()
