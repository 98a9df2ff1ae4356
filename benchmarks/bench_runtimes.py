"""Mask R-CNN from picture to run lengths, by runtime, beside torchvision's own eager `forward`.

    python benchmarks/bench_runtimes.py [--network compact|resnet50_fpn] [--rounds 5] [--threads 2]
        [--weights FILE]

All run the same weights on the same picture, in turn, one picture at a time; torchvision pastes
its masks, and they are coded as run lengths. Ratios are medians of the rounds. Mask IoU is that of
each thing that torchvision reports with the nearest one of the runtime; beside it stands that of
the masks that both draw in the very boxes that torchvision reported.

The compact network is the one that ships, or `--weights`, and sees a frame of the demo clip. The
ResNet-50 has random weights (none may ship); seven boxes are let through, or `--boxes`. Random
weights score all boxes all but alike, so which of them are kept turns on the last digits: for them,
only the IoU in the same boxes tells how well a runtime calculates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch
from bench_mask_rcnn import BOXES, frame
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from models.card import Card
from models.mask_rcnn import Found, Segmenter, build, coco_card, encode
from models.runtime import Precision, RuntimeName, RuntimeUnavailable, get_runtime
from models.runtime.equality import best_match, mask_iou
from models.runtime.instances import run_instances
from models.runtime.networks import load_any, scaled

Picture = NDArray[np.uint8]
Run = Callable[[], list[Found]]
Clock = Callable[[], float]  # seconds
WAYS: tuple[tuple[RuntimeName, Precision], ...] = (
    ("eager", "float32"),
    ("onnx", "float32"),
    ("openvino", "float32"),
    ("eager", "bfloat16"),
    ("openvino", "bfloat16"),
)
STAGES = {
    "body": ("backbone",),
    "proposals": ("rpn",),
    "box head": ("roi_heads.box_roi_pool", "roi_heads.box_head", "roi_heads.box_predictor"),
    "mask head": ("roi_heads.mask_roi_pool", "roi_heads.mask_head", "roi_heads.mask_predictor"),
}


def network_and_picture(
    name: str, weights: str, short_px: int, boxes: int
) -> tuple[MaskRCNN, Card, Picture]:
    """An eager network, its card, and a picture at the size that the network sees."""
    if name == "compact":
        loaded = load_any(weights)
        network, card = loaded.network, loaded.card
        short_px = int(card.preprocessing["min_size"])
    else:
        torch.manual_seed(0)
        card = coco_card("coco")
        network = build({"body": name}).eval().requires_grad_(False)
        network.roi_heads.detections_per_img = boxes
    return network, card, scaled([frame(None)], (short_px * 4 // 3, short_px))[0]


def torchvisions(network: MaskRCNN, card: Card, picture: Picture, threshold: float) -> Run:
    """Torchvision's `forward` on the picture as it is, and the run lengths of its pasted masks."""
    want = {**coco_card("coco").preprocessing, **card.preprocessing}
    network.transform = GeneralizedRCNNTransform(
        min(picture.shape[:2]), max(picture.shape[:2]), want["mean"], want["std"]
    )
    labels = card.labels

    @torch.inference_mode()
    def run() -> list[Found]:
        network.roi_heads.score_thresh = threshold
        answer = network([torch.from_numpy(picture).permute(2, 0, 1) / 255])[0]
        found = []
        for box, number, score, mask in zip(
            answer["boxes"], answer["labels"], answer["scores"], answer["masks"], strict=True
        ):
            rle = coco_mask.encode(np.asfortranarray((mask[0] > 0.5).numpy(), np.uint8))
            size = (int(rle["size"][0]), int(rle["size"][1]))
            counts = rle["counts"].decode("ascii")
            label = labels[int(number) - 1]
            found.append(Found(label, float(score), tuple(box.tolist()), (size, counts)))
        return found

    return run


def ours(network: MaskRCNN, card: Card, picture: Picture, threshold: float) -> Run:
    """The same by way of the `Segmenter`, which pastes no mask beyond its own box."""
    segmenter = Segmenter(network, card, batch=1, score_threshold=threshold)
    high, wide = picture.shape[:2]

    def run() -> list[Found]:
        network.roi_heads.score_thresh = threshold
        return segmenter.segment([picture], [(wide, high)])[0]

    return run


@torch.inference_mode()
def masks_in(
    network: MaskRCNN, card: Card, picture: Picture, things: Sequence[Found]
) -> list[Found]:
    """The things with the masks that the network draws in their boxes."""
    high, wide = picture.shape[:2]
    batch = Segmenter(network, card, batch=1).prepared(picture[None])
    boxes = torch.tensor([thing.box for thing in things]).reshape(-1, 4)
    heads = network.roi_heads
    regions = heads.mask_roi_pool(network.backbone(batch), [boxes], [(high, wide)])
    drawn = heads.mask_predictor(heads.mask_head(regions)).sigmoid().numpy()
    return [
        replace(thing, rle=encode(masks[number], np.array(thing.box), (wide, high)))
        for thing, masks in zip(things, drawn, strict=True)
        for number in [card.labels.index(thing.label) + 1]
    ]


def threshold_for(network: MaskRCNN, card: Card, picture: Picture) -> float:
    """The card's own where something passes it; else one that just seven boxes pass."""
    scores = [one.score for one in ours(network, card, picture, 0.0)()]
    own = float(card.postprocessing.get("min_score", 0.5))
    if not scores or scores[0] > own:
        return own
    return float(np.mean(scores[BOXES - 1 : BOXES + 1]))


def with_stages(network: MaskRCNN, spent: dict[str, float], clock: Clock) -> list[Any]:
    """Hooks that add up the milliseconds of each stage; remove them to stop."""
    hooks = []
    for stage, names in STAGES.items():
        for name in names:
            module = network.get_submodule(name)

            def before(*_: object, stage: str = stage) -> None:
                spent[stage] = spent.get(stage, 0.0) - 1000 * clock()

            def after(*_: object, stage: str = stage) -> None:
                spent[stage] += 1000 * clock()

            hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    return hooks


def timed(run: Run, clock: Clock = time.perf_counter) -> float:
    """Milliseconds of one pass."""
    began = clock()
    run()
    return 1000 * (clock() - began)


def stages_of(network: MaskRCNN, run: Run, clock: Clock) -> str:
    """The time of each stage in one pass, as a phrase."""
    spent: dict[str, float] = {}
    hooks = with_stages(network, spent, clock)
    whole = timed(run, clock)
    for hook in hooks:
        hook.remove()
    spent["the rest"] = whole - sum(spent.values())
    return ", ".join(f"{stage} {ms:.1f}" for stage, ms in spent.items())


def main() -> None:
    """Measures in turn and prints medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="compact", choices=["compact", "resnet50_fpn"])
    parser.add_argument("--weights", default="street-people", help="in place of what ships")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--short-px", type=int, default=480, help="the ResNet's picture")
    parser.add_argument("--boxes", type=int, default=BOXES, help="the ResNet's, at most")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too: takes minutes")
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    network, card, picture = network_and_picture(
        options.network, options.weights, options.short_px, options.boxes
    )
    threshold = threshold_for(network, card, picture)
    runs = {"torchvision": (network, torchvisions(network, card, picture, threshold))}
    ways = (*WAYS, ("compiled", "float32")) if options.compiled else WAYS
    for runtime, precision in ways:
        try:
            running = run_instances(network, get_runtime(runtime, precision), precision)
        except RuntimeUnavailable as reason:
            print(f"{runtime} {precision}: skipped: {reason}")
            continue
        runs[f"{runtime} {precision}"] = (running, ours(running, card, picture, threshold))
    clock = time.process_time if options.cpu_time else time.perf_counter
    report(runs, options.rounds, clock, lambda one, things: masks_in(one, card, picture, things))


def report(
    runs: dict[str, tuple[MaskRCNN, Run]],
    rounds: int,
    clock: Clock,
    draw: Callable[[MaskRCNN, Sequence[Found]], list[Found]],
) -> None:
    """Times in turn; the first pass of each warms up and is compared."""
    found = {name: run() for name, (_, run) in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (_, run) in runs.items():
            times[name].append(timed(run, clock))
    slow = times["torchvision"]
    wanted = draw(runs["torchvision"][0], found["torchvision"])
    for name, (network, run) in runs.items():
        pairs = [one / other for one, other in zip(slow, times[name], strict=True)]
        matches = [best_match(thing, found[name]) for thing in found["torchvision"]]
        ious = [match.mask_iou for match in matches] or [float("nan")]
        masks = zip(wanted, draw(network, found["torchvision"]), strict=True)
        drawn = [mask_iou(*pair) for pair in masks] or [float("nan")]
        print(
            f"{name}: median {statistics.median(times[name]):.1f} ms, best "
            f"{min(times[name]):.1f} ({min(slow) / min(times[name]):.2f}x), "
            f"{statistics.median(pairs):.2f}x torchvision (min {min(pairs):.2f}, max "
            f"{max(pairs):.2f}), mask IoU mean {statistics.mean(ious):.4f} min {min(ious):.4f} "
            f"over {len(ious)} things, in the same boxes mean {statistics.mean(drawn):.4f} min "
            f"{min(drawn):.4f}"
        )
        print(f"    ms in one pass: {stages_of(network, run, clock)}")


if __name__ == "__main__":
    main()
