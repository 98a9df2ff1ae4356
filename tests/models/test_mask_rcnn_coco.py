"""torchvision's COCO files are taken as they are published, old layer names and all."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import mask_rcnn
from models.card import CheckpointError
from models.mask_rcnn import build, load_segmenter
from tests.models.test_pretrained import Member


def as_published(name: str) -> str:
    """The name of a layer in the file of 2019."""
    name = re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name)
    name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
    return re.sub(
        r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m.group(1)) + 1}.", name
    )


def published(folder: Path, body: str, *, old: bool) -> Member:
    """A file with the body's layers, one number in each, and its hash in its name."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build({"body": body}).state_dict().items()}
    # An expanded scalar is stored as one number, so that the file stays small.
    state = {
        as_published(name) if old else name: torch.tensor(0.001 * (number % 7 + 1)).expand(shape)
        for number, (name, shape) in enumerate(shapes.items())
    }
    plain = folder / "plain.pth"
    torch.save(state, plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    url = plain.rename(folder / f"net-{digest[:8]}.pth").as_uri()
    return Member(url, {"_file_size": 0.1, "categories": ["__background__", "person"]})


@pytest.mark.parametrize(
    ("weights", "body"), [("coco", "resnet50_fpn"), ("coco_v2", "resnet50_fpn_v2")]
)
def test_a_published_file_is_checked_and_loaded(
    weights: str, body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = published(tmp_path, body, old=weights == "coco")
    monkeypatch.setattr(mask_rcnn, "_coco_member", lambda _weights: (body, member))
    file = Path(member.url.removeprefix("file://"))
    segmenter = load_segmenter(weights, file=file)
    assert segmenter.card.architecture == {"body": body}
    loaded: dict[str, Any] = segmenter._network.state_dict()
    for number, value in enumerate(loaded.values()):
        wanted = torch.tensor(0.001 * (number % 7 + 1)).to(value.dtype)
        assert torch.equal(value, wanted.expand(value.shape))
    picture = np.zeros((64, 64, 3), np.uint8)
    if weights == "coco":
        assert isinstance(segmenter.segment([picture], [(64, 64)])[0], list)


def test_a_file_of_another_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tmp_path / "plain.pth"
    torch.save({"weight": torch.zeros(2)}, plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    file = plain.rename(tmp_path / f"net-{digest[:8]}.pth")
    member = Member(file.as_uri(), {"_file_size": 0.1, "categories": ["", "person"]})
    monkeypatch.setattr(mask_rcnn, "_coco_member", lambda _weights: ("resnet50_fpn", member))
    with pytest.raises(CheckpointError, match="coco: the weights do not match the network"):
        load_segmenter("coco", file=file)
    file.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="sha256"):
        load_segmenter("coco", file=file)
