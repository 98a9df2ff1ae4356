"""`witness label` labels a scene that stands still, and says why it cannot label another."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from pycocotools import mask as coco_mask

from pipeline.commands.label import label_command
from tests.pipeline.commands.scenes import HEIGHT, WIDTH, walkers

pytestmark = pytest.mark.slow


def test_walkers_are_labelled_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film, out = walkers(tmp_path), tmp_path / "labels"
    assert label_command(str(film), out, None) == 0
    coco = json.loads((out / "labels.json").read_text(encoding="utf-8"))
    assert [image["id"] for image in coco["images"]] == list(range(60))
    assert {category["name"] for category in coco["categories"]} == {"person"}
    assert len({annotation["track_id"] for annotation in coco["annotations"]}) == 3
    mask = coco_mask.decode(coco["annotations"][0]["segmentation"])
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.any()
    sheet = cv2.imread(str(out / "contact_sheet.jpg"))
    assert sheet.shape == (4 * HEIGHT, 3 * WIDTH, 3)
    assert "60 frames, in 3 tracks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("until_s", "why"), [(None, "the camera moves"), (0.5, "5 frames are too few")]
)
def test_what_cannot_be_labelled_gives_3_and_writes_nothing(
    until_s: float | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels"
    assert label_command(str(walkers(tmp_path, shaking=True)), out, until_s) == 3
    assert why in capsys.readouterr().out
    assert not out.exists()


def test_missing_source_gives_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label_command(str(tmp_path / "gone.mp4"), tmp_path / "labels", None) == 3
    assert "no such file" in capsys.readouterr().out
