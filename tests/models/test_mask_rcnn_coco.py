"""torchvision's COCO files are taken as they are published, old layer names and all."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import torch
from torchvision.models import detection

from models import mask_rcnn
from models.card import CheckpointError
from models.mask_rcnn import build, coco_card, load_segmenter
from models.pretrained import load_published
from tests.models.test_pretrained import Member


def as_published(name: str) -> str:
    """The name of a layer in the file of 2019."""
    name = re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name)
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    return re.sub(
        r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m.group(1)) + 1}.", name
    )


def test_a_published_file_is_checked_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "resnet50_fpn"
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build({"body": body}).state_dict().items()}
    # An expanded scalar is stored as one number, so that the file stays small.
    values = {
        name: torch.tensor(0.001 * (number % 7 + 1)).expand(shape)
        for number, (name, shape) in enumerate(shapes.items())
    }
    member = written(tmp_path, {as_published(name): value for name, value in values.items()})
    monkeypatch.setattr(mask_rcnn, "_coco_member", lambda _weights: (body, member))
    file = Path(member.url.removeprefix("file://"))
    segmenter = load_segmenter("coco", file=file)
    assert segmenter.card.architecture == {"body": body}
    loaded = segmenter._network.state_dict()
    assert sum(as_published(name) != name for name in values) == 26
    assert all(torch.equal(loaded[name], value) for name, value in values.items())
    file.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="sha256"):
        load_segmenter("coco", file=file)


def written(folder: Path, state: dict[str, torch.Tensor]) -> Member:
    """The state dict as torchvision publishes one, with its hash in its name."""
    plain = folder / "plain.pth"
    torch.save(state, plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    url = plain.rename(folder / f"net-{digest[:8]}.pth").as_uri()
    return Member(url, {"_file_size": 0.1, "categories": ["__background__", "person"]})


def test_the_second_version_is_torchvisions_too() -> None:
    with torch.device("meta"):
        network = build(coco_card("coco_v2").architecture)
    member = detection.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == member.meta["num_params"]


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(CheckpointError, match="coco: the weights do not match the network"):
        load_published(torch.nn.Linear(2, 2), {"weight": torch.zeros(2)}, "coco")
