"""What finding things costs: the compact Mask R-CNN that ships against torchvision's, in pairs.

    python benchmarks/bench_mask_rcnn.py [--pairs 10] [--threads 2] [--picture FILE]

Both get the same frame of 768x576 and end with the run lengths of every mask at that size: scaling,
network, pasting and coding are all timed, one frame at a time. torchvision's network has random
weights here (the time of a pass does not depend on them) and its own 800 px; the score that it must
pass is set beforehand so that seven boxes come out, as many people as this street mostly shows.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn

from models.card import Card
from models.checkpoint import shipped
from models.mask_rcnn import Segmenter, build, load_segmenter
from models.training.instance_data import scaled_size

NAME, BOXES = "street-people", 7
SIZE = (768, 576)
CLIP = Path(__file__).parent.parent / "examples" / "street.mp4"
UNTRAINED = {
    "body": "compact",
    "classes": 1,
    "channels": [24, 48, 64, 96, 128],
    "out_channels": 64,
    "hidden": 128,
    "anchor_sizes": [[30.0, 40.0], [50.0, 70.0], [100.0, 140.0]],
    "anchor_ratios": [1.8, 2.8],
}
Picture = NDArray[np.uint8]
Run = Callable[[Picture], int]  # the number of things found


def compact() -> Run:
    """Picture to run lengths with the checkpoint that ships, or its untrained like."""
    if NAME in shipped():
        segmenter = load_segmenter(NAME, batch=1)
    else:
        print(f"{NAME} does not ship yet: fresh weights, made to report {BOXES} boxes")
        torch.manual_seed(0)
        card = Card("fresh", "mask_rcnn", ("person",), UNTRAINED, {"min_size": 384})
        segmenter = Segmenter(build(UNTRAINED), card, batch=1)
        segmenter._network.roi_heads.detections_per_img = BOXES
        segmenter._network.roi_heads.score_thresh = 0.0

    def run(picture: Picture) -> int:
        height, width = picture.shape[:2]
        size = scaled_size(width, height, segmenter.min_size)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        return len(segmenter.segment([small], [(width, height)])[0])

    return run


def torchvisions(picture: Picture) -> Run:
    """The same with torchvision's own `forward`, which scales and pastes for itself."""
    torch.manual_seed(0)
    network = maskrcnn_resnet50_fpn(weights=None, weights_backbone=None).eval()
    network.roi_heads.score_thresh = _score_of(network, picture, BOXES)

    @torch.inference_mode()
    def run(picture: Picture) -> int:
        answer = network([_tensor(picture)])[0]
        for mask in answer["masks"][:, 0]:
            coco_mask.encode(np.asfortranarray((mask > 0.5).numpy(), np.uint8))
        return len(answer["scores"])

    return run


def _tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1) / 255


@torch.inference_mode()
def _score_of(network: MaskRCNN, picture: Picture, rank: int) -> float:
    """The score that just `rank` boxes of this picture pass."""
    network.roi_heads.score_thresh = 0.0
    scores = network([_tensor(picture)])[0]["scores"]
    return float(scores[: rank + 1].mean()) if len(scores) <= rank else float(scores[rank])


def frame(file: Path | None) -> Picture:
    """A frame of 768x576 RGB: of `file`, of the demo clip, or noise when neither can be read."""
    reader = cv2.VideoCapture(str(file or CLIP))
    reader.set(cv2.CAP_PROP_POS_FRAMES, 20)
    read, bgr = reader.read()
    reader.release()
    if not read:
        print(f"{file or CLIP}: no picture in there; noise will do for timing")
        return np.random.default_rng(0).integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)
    sized = cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(sized[..., ::-1], np.uint8)


def timed(run: Run, picture: Picture) -> float:
    """Milliseconds of one pass."""
    began = time.perf_counter()
    run(picture)
    return 1000 * (time.perf_counter() - began)


def main() -> None:
    """Measures in pairs and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="a picture or a film; default: the demo clip")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    cv2.setNumThreads(options.threads)
    picture = frame(options.picture)
    ours, theirs = compact(), torchvisions(picture)
    for _ in range(2):
        found = ours(picture), theirs(picture)
    pairs = [(timed(ours, picture), timed(theirs, picture)) for _ in range(options.pairs)]
    ratios = [slow / fast for fast, slow in pairs]
    for name, times, boxes in zip(
        ("compact", "torchvision"), zip(*pairs, strict=True), found, strict=True
    ):
        print(f"{name}: median {statistics.median(times):.1f} ms a frame, {boxes} boxes")
    print(
        f"torchvision takes {statistics.median(ratios):.1f}x as long, median of {options.pairs} "
        f"pairs (min {min(ratios):.1f}, max {max(ratios):.1f}, {options.threads} threads)"
    )


if __name__ == "__main__":
    main()
