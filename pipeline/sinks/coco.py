"""Instances as COCO JSON: for tools that label, look at, or train on instances.

The format of the COCO data set (Lin et al., ECCV 2014), with compressed run lengths; `time_s`,
`track_id` and `score` are added to what it knows.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from pipeline.masks import area
from pipeline.records import Event
from pipeline.whole import WholeFile


class CocoSink:
    """Writes one COCO file: annotations as they come, then the images and the categories.

    An image is a frame in which something was found; its `file_name` names the stream and when the
    frame starts, in seconds. Events without an instance are left out.
    """

    def __init__(self, file: WholeFile) -> None:
        self._file = file
        self._images: dict[Fraction, dict[str, Any]] = {}
        self._categories: dict[str, int] = {}
        self._count = 0
        self._file.write(b'{"annotations": [')

    def write(self, event: Event) -> None:
        """Adds an annotation."""
        thing = event.instance
        if thing is None:
            return
        x1, y1, x2, y2 = thing.box
        row = {
            "id": self._count + 1,
            "image_id": self._image(event),
            "category_id": self._categories.setdefault(thing.label, len(self._categories) + 1),
            "bbox": [round(edge, 2) for edge in (x1, y1, x2 - x1, y2 - y1)],
            "area": area(thing.rle),
            "segmentation": {
                "size": [thing.rle.height, thing.rle.width],
                "counts": thing.rle.counts,
            },
            "iscrowd": 0,
            "score": round(thing.score, 4),
            "track_id": thing.track_id,
        }
        self._file.write((",\n" if self._count else "\n").encode() + json.dumps(row).encode())
        self._count += 1

    def close(self) -> None:
        """The images and the categories, and every byte is on the disk."""
        categories = [{"id": number, "name": name} for name, number in self._categories.items()]
        images = json.dumps(list(self._images.values()))
        rest = f'\n],\n"images": {images},\n"categories": {json.dumps(categories)}}}\n'
        self._file.write(rest.encode())
        self._file.seal()

    def abandon(self) -> None:
        """Removes what was written."""
        self._file.abandon()

    def _image(self, event: Event) -> int:
        assert event.instance is not None
        start, rle = event.span.start, event.instance.rle
        if start not in self._images:
            self._images[start] = {
                "id": len(self._images) + 1,
                "file_name": f"{event.stream}@{float(start):.3f}",
                "time_s": round(float(start), 6),
                "width": rle.width,
                "height": rle.height,
            }
        return int(self._images[start]["id"])
