"""The recipe from end to end, on a made street and for a moment only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.card import Card
from models.checkpoint import load, read_card
from models.mask_rcnn import load_segmenter
from models.training import instances
from models.training.instance_data import Labelled, labelled_frames
from models.training.instance_recipes import architecture_for
from models.training.instances import fit_network
from models.training.own_scene import train_instances
from tests.models.training import toy_street

pytestmark = pytest.mark.slow

TINY = {
    "body": "compact",
    "classes": 1,
    # torch 2.14 spoils its memory in the way back through a strided 1x1 convolution of fewer.
    "channels": [16, 16, 16, 16, 16],
    "out_channels": 16,
    "hidden": 32,
    "anchor_sizes": [[20.0], [35.0], [70.0]],
    "anchor_ratios": [3.0],
}


def data() -> list[Labelled]:
    return list(labelled_frames(toy_street.frames(), toy_street.coco(), 144))


def few(frames: int) -> dict[str, Any]:
    coco = toy_street.coco()
    return {
        **coco,
        "images": [image for image in coco["images"] if image["id"] < frames],
        "annotations": [one for one in coco["annotations"] if one["image_id"] < frames],
    }


def street() -> Iterable[tuple[int, NDArray[np.uint8]]]:
    return toy_street.frames()


def card(architecture: dict[str, Any]) -> Card:
    return Card("toy", "mask_rcnn", ("person",), architecture, {"min_size": 144})


def test_anchors_have_the_sizes_and_shapes_of_the_labels() -> None:
    architecture = architecture_for(data(), classes=1)
    sides = [np.sqrt(10 * 30), np.sqrt(15 * 45)]
    small, middle = architecture["anchor_sizes"][0]
    assert small == pytest.approx(sides[0], abs=0.1)
    assert sides[0] <= middle <= sides[1]
    assert architecture["anchor_sizes"][1][0] == pytest.approx(sides[1], abs=0.1)
    assert architecture["anchor_ratios"] == [3.0, 3.0]


def test_the_loss_goes_down() -> None:
    _, log = fit_network(data(), card(TINY), steps=8, seed=0)
    assert log.steps == 8
    assert np.mean(log.losses[-3:]) < 0.9 * np.mean(log.losses[:3])


def test_the_same_seed_makes_the_same_network() -> None:
    (one, log), (other, again) = (fit_network(data(), card(TINY), steps=2, seed=3) for _ in "ab")
    assert log.losses == again.losses
    state = other.state_dict()
    assert all(value.equal(state[name]) for name, value in one.state_dict().items())
    assert fit_network(data(), card(TINY), steps=2, seed=4)[1].losses != log.losses


def test_labels_in_a_checkpoint_and_its_card_out(tmp_path: Path) -> None:
    out = tmp_path / "toy.safetensors"
    labels = few(20)
    for one in labels["annotations"]:  # as many tools write them
        left, top, wide, tall = one.pop("bbox")
        right, low = left + wide, top + tall
        one["segmentation"] = [[left, top, right, top, right, low, left, low]]
    told = train_instances(labels, street, out, steps=2, seed=1, name="toy")
    kept = read_card(out)
    assert kept == told
    assert kept.labels == ("person",)
    assert kept.split == "by time: labelled frames before 16 teach, the rest judge"
    assert kept.training["steps"] == 2
    assert kept.training["frames"] == 8  # every second of sixteen
    score = kept.postprocessing["min_score"]
    assert 0.3 <= score <= 0.9
    assert {"box_AP", "mask_AP50", f"at_score_{score}"} <= kept.heldout.keys()
    assert kept.heldout[f"at_score_{score}"]["labelled"] == 8
    assert all(str(value.dtype) == "torch.float16" for value in load(out)[1].values())
    picture = next(iter(street()))[1]
    found = load_segmenter(out).segment([picture], [(toy_street.WIDTH, toy_street.HEIGHT)])
    assert len(found) == 1


def test_the_threshold_is_found_for_labels_that_are_far_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coco = toy_street.coco()
    sparse = {
        "categories": coco["categories"],
        "images": coco["images"][::10],
        "annotations": [one for one in coco["annotations"] if one["image_id"] % 10 == 0],
    }
    shown: list[int] = []

    def seen(
        _network: object, frames: Iterable[tuple[int, NDArray[np.uint8]]], _kinds: object
    ) -> list[dict[str, Any]]:
        """Everything that is labelled at .9, and as much that is wrong at .7."""
        shown.extend(index for index, _ in frames)
        right = [one for one in sparse["annotations"] if one["image_id"] in shown]
        wrong = [{**one, "bbox": [150, 0, 20, 20], "score": 0.7} for one in right]
        return [{**one, "score": 0.9} for one in right] + wrong

    monkeypatch.setattr(instances, "detect", seen)
    told = instances.with_threshold(instances.build(TINY), card(TINY), sparse, street)
    assert shown == [10]
    assert 0.7 < told.postprocessing["min_score"] <= 0.9


@pytest.mark.parametrize(
    ("coco", "told"),
    [
        (few(9), "9 labelled frames are too few"),
        ({**few(20), "annotations": []}, "nothing can be learnt"),
        (
            {**few(20), "images": [{**image, "width": 99} for image in few(20)["images"]]},
            "a mask of image 0 is 192x144; the image is 99x144",
        ),
    ],
    ids=["few", "none", "another size"],
)
def test_labels_that_will_not_do_are_told_before_training(
    coco: dict[str, Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        train_instances(coco, street, tmp_path / "never.safetensors", steps=2)
    assert not list(tmp_path.iterdir())
