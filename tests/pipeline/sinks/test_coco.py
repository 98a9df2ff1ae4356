from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO

from pipeline.masks import encode
from pipeline.records import Event, InstanceMask, Span
from pipeline.sinks.coco import CocoSink
from pipeline.whole import LoneFile


def thing(index: int, label: str, track: int | None) -> Event:
    picture = np.zeros((12, 16), bool)
    picture[2:6, 3 : 5 + index] = True
    instance = InstanceMask(label, 0.5, (3.0, 2.0, 5.0 + index, 6.0), encode(picture), track)
    span = Span(Fraction(index // 2, 5), Fraction(index // 2 + 1, 5))
    return Event("yard", "instances", span, label, 0.5, "net", "0" * 64, instance)


def test_other_tools_read_what_was_found(tmp_path: Path) -> None:
    file = LoneFile(tmp_path / "coco.json")
    sink = CocoSink(file)
    for index, label in enumerate(["person", "car", "person"]):
        sink.write(thing(index, label, index or None))
    heard = Event("yard", "sound", Span(Fraction(0), Fraction(1)), "music", 1.0, "n", "0" * 64)
    sink.write(heard)
    sink.close()
    file.appear()
    coco = COCO(str(tmp_path / "coco.json"))
    assert [image["time_s"] for image in coco.loadImgs(coco.getImgIds())] == [0.0, 0.2]
    assert {row["name"] for row in coco.loadCats(coco.getCatIds())} == {"person", "car"}
    rows = coco.loadAnns(coco.getAnnIds())
    assert [row["track_id"] for row in rows] == [None, 1, 2]
    assert [row["area"] for row in rows] == [8, 12, 16]
    assert int(mask.decode(rows[1]["segmentation"]).sum()) == 12
    assert rows[1]["bbox"] == [3.0, 2.0, 3.0, 4.0]


def test_nothing_found_is_a_whole_file_too(tmp_path: Path) -> None:
    file = LoneFile(tmp_path / "coco.json")
    CocoSink(file).close()
    file.appear()
    told = json.loads((tmp_path / "coco.json").read_text())
    assert told == {"annotations": [], "images": [], "categories": []}
