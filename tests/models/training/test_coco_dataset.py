import json
from pathlib import Path
from typing import Any

import pytest

from models.training.coco_dataset import read_coco
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
    assert dataset.sizes()[3] == (20, 12)
    assert dataset.counts() == {"box": 10}
    fewer = dataset.without({3})
    assert 3 not in fewer.files and fewer.counts() == {"box": 9}
    assert list(dataset.only([3]).files) == [3]


def test_labels_are_made_whole_and_numbered_from_one(tmp_path: Path) -> None:
    made = coco()
    made["annotations"][3]["iscrowd"] = 1
    whole = read_coco(written(tmp_path, made)).whole().coco["annotations"]
    assert [one["id"] for one in whole] == list(range(1, 11))
    assert [one["iscrowd"] for one in whole] == [0, 0, 0, 1] + [0] * 6
    assert all(one["area"] == 24 and one["bbox"] == [2, 2, 6, 4] for one in whole)
    assert all(decode(one, (16 + n % 2 * 4, 12)).sum() == 24 for n, one in enumerate(whole))


def test_a_crowd_is_no_label(tmp_path: Path) -> None:
    made = coco()
    made["annotations"][3]["iscrowd"] = 1
    dataset = read_coco(written(tmp_path, made))
    assert dataset.counts() == {"box": 9}
    assert [number for number, kinds in dataset.kinds().items() if not kinds] == [3]


def test_what_judges_may_be_few_pictures_of_some_kinds(tmp_path: Path) -> None:
    few = spoilt("few")
    few["categories"].append({"id": 6, "name": "cat"})
    assert read_coco(written(tmp_path, few), judging=True).counts() == {"box": 3, "cat": 0}


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
        case "crowds":
            for one in made["annotations"]:
                one["iscrowd"] = 1
        case "nothing":
            made["images"][4]["height"] = 0
        case "box":
            made["annotations"][2]["bbox"] = [1, 2, -3, 4]
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
        (spoilt("crowds"), "the category box has no label"),
        (spoilt("twice"), "occurs twice"),
        (spoilt("nothing"), "image 4 cannot be 16x0"),
        (spoilt("box"), r"label 2 has a box that is none: \[1, 2, -3, 4\]"),
        (spoilt("size"), "not whole: 'width' is missing"),
        (spoilt("file"), "not whole: 'file_name' is missing"),
    ],
)
def test_labels_that_will_not_do_are_told(labels: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=why):
        read_coco(written(tmp_path, labels))


def test_a_mask_that_will_not_do_is_told_with_its_picture(tmp_path: Path) -> None:
    made = coco()
    del made["annotations"][2]["segmentation"]
    made["annotations"][5]["segmentation"] = [[90, 90, 95, 90, 95, 95]]
    dataset = read_coco(written(tmp_path, made))
    with pytest.raises(DatasetError, match=r"2\.png: label 2 has no mask; .*and 1 more labels"):
        dataset.whole()
    with pytest.raises(DatasetError, match=r"5\.png: label 5 reaches outside its picture"):
        dataset.without({2}).whole()
