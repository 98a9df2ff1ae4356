"""Mask R-CNN (He et al., ICCV 2017): a compact one for fixed cameras, and torchvision's COCO ones.

The classes are torchvision's; what is ours is a small body without batch statistics, and a
`Segmenter` that gives the same answer whoever shares the batch and never holds a full-frame bitmap
of more than one thing at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList

from models.card import Card, CheckpointError
from models.checkpoint import load, load_into
from models.compact_rcnn import build_compact
from models.fpn_rcnn import build_fpn, build_resnet50_fpn, build_resnet50_fpn_v2
from models.pretrained import load_published, torchvision_state

_LOGGER = logging.getLogger(__name__)

_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
_STRIDE = 32  # the coarsest feature map; both sides of a batch are padded to multiples of it
_MIN_SCORE = 0.5

Picture = NDArray[np.uint8]  # H, W, 3 RGB


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in one picture; box (x1, y1, x2, y2) and mask in px of the source frame.

    `rle` is ((height, width), counts): COCO's compressed run lengths, column-major.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    rle: tuple[tuple[int, int], str]


def build(architecture: dict[str, Any]) -> MaskRCNN:
    """A network with fresh weights; CheckpointError when no such architecture exists.

    `{"body": "compact", ...}` takes the arguments of `build_compact`, `fpn` those of `build_fpn`;
    `resnet50_fpn` and `resnet50_fpn_v2` are torchvision's for COCO, and take `classes` alone.
    """
    options = dict(architecture)
    body = options.pop("body", None)
    makers: dict[Any, Callable[..., MaskRCNN]] = {
        "compact": build_compact,
        "fpn": build_fpn,
        "resnet50_fpn": build_resnet50_fpn,
        "resnet50_fpn_v2": build_resnet50_fpn_v2,
    }
    if body not in makers:
        message = f"no Mask R-CNN has the body {body!r}; there are {', '.join(makers)}"
        raise CheckpointError(message)
    try:
        return makers[body](**options)
    except TypeError as error:
        message = f"the body {body} does not take these arguments: {error}"
        raise CheckpointError(message) from error


def _coco_member(weights: str) -> tuple[str, Any]:
    """The body and torchvision's weights enum member behind `coco` or `coco_v2`."""
    from torchvision.models import detection

    if weights == "coco":
        return "resnet50_fpn", detection.MaskRCNN_ResNet50_FPN_Weights.COCO_V1
    if weights == "coco_v2":
        return "resnet50_fpn_v2", detection.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    message = f"{weights}: torchvision's weights are called coco and coco_v2 here"
    raise CheckpointError(message)


def coco_card(weights: str) -> Card:
    """The card of torchvision's COCO weights, `coco` or `coco_v2`; reads no weights.

    `sha256` is the part of it that torchvision writes into the file name.
    """
    body, member = _coco_member(weights)
    return Card(
        name=weights,
        network="mask_rcnn",
        labels=tuple(member.meta["categories"][1:]),
        architecture={"body": body},
        preprocessing={"min_size": 800, **_IMAGENET},
        sha256=Path(member.url).stem.rpartition("-")[2],
        summary=f"torchvision's Mask R-CNN, {member}: 80 kinds of things of COCO.",
        licence="as torchvision publishes it",
        data=[{"name": "COCO train2017", "url": member.url}],
        postprocessing={"min_score": _MIN_SCORE},
    )


class Segmenter:
    """Finds things in pictures with a Mask R-CNN in eval mode.

    Every call is run in batches of exactly `batch` pictures, the last padded with black, and what
    comes after the feature maps is run picture by picture: so no score depends on the neighbours.
    `dtype` is that of the body.
    """

    def __init__(
        self,
        network: MaskRCNN,
        card: Card,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        batch: int = 4,
        score_threshold: float | None = None,
    ) -> None:
        if batch < 1:
            message = f"a batch holds at least one picture, not {batch}"
            raise ValueError(message)
        self.card = card
        self.min_size = int(card.preprocessing["min_size"])
        self._labels = card.labels
        self._batch = batch
        self._device = torch.device(device)
        self._dtype = dtype
        default = float(card.postprocessing.get("min_score", _MIN_SCORE))
        self._network = network.eval().to(self._device)
        # What comes after the body has no half precision on a CPU (torchvision's nms).
        self._network.backbone.to(dtype)
        # The mask head then runs only on what will be reported.
        self._network.roi_heads.score_thresh = (
            default if score_threshold is None else score_threshold
        )
        self._mean = self._constant(card.preprocessing.get("mean", _IMAGENET["mean"]))
        self._std = self._constant(card.preprocessing.get("std", _IMAGENET["std"]))

    @property
    def network(self) -> MaskRCNN:
        """The network, in eval mode, on its device."""
        return self._network

    def _constant(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self._device).view(3, 1, 1)

    def segment(
        self, images: Sequence[Picture], out_sizes: Sequence[tuple[int, int]]
    ) -> list[list[Found]]:
        """What is in each picture, best score first; as many lists as pictures, in their order.

        All pictures of a call have one size, and are taken as they are: whoever decodes scales
        the short side to `min_size`. `out_sizes` are (width, height) of the frames they were
        scaled from. ValueError when sizes differ or a picture is not (H, W, 3) uint8.
        """
        _check(images, out_sizes)
        found: list[list[Found]] = []
        for first in range(0, len(images), self._batch):
            part = images[first : first + self._batch]
            sizes = out_sizes[first : first + self._batch]
            found += self._segment_batch(np.stack(part), sizes)
        return found

    @torch.inference_mode()
    def _segment_batch(
        self, pictures: Picture, out_sizes: Sequence[tuple[int, int]]
    ) -> list[list[Found]]:
        height, width = pictures.shape[1:3]
        batch = self.prepared(pictures, pad_to=self._batch)
        features = {n: maps.float() for n, maps in self._network.backbone(batch).items()}
        found = []
        for index, out_size in enumerate(out_sizes):
            own = {name: maps[index : index + 1] for name, maps in features.items()}
            shown = ImageList(batch[index : index + 1], [(height, width)])
            proposals, _ = self._network.rpn(shown, own)
            answer, _ = self._network.roi_heads(own, proposals, [(height, width)])
            found.append(self._to_source(answer[0], (width, height), out_size))
        return found

    def prepared(self, pictures: Picture, pad_to: int | None = None) -> Tensor:
        """(B, H, W, 3) uint8 -> (B or `pad_to`, 3, H', W') normalised; the rest is zeros."""
        count, height, width = pictures.shape[:3]
        more = (-height % _STRIDE, -width % _STRIDE)
        if self._device.type == "cuda":
            tensor = torch.from_numpy(pictures).pin_memory().to(self._device, non_blocking=True)
            tensor = tensor.permute(0, 3, 1, 2).float().div(255).sub(self._mean).div(self._std)
            padding = (0, more[1], 0, more[0], 0, 0, 0, (pad_to or count) - count)
            return F.pad(tensor, padding).to(self._dtype)
        # 256 values a channel: looking them up takes a quarter of the time of working them out.
        shades = torch.arange(256.0).div(255).sub(self._mean[:, 0]).div(self._std[:, 0]).numpy()
        batch = torch.zeros(pad_to or count, 3, height + more[0], width + more[1])
        for picture, planes in zip(pictures, batch.numpy(), strict=False):
            for channel, plane in enumerate(planes[:, :height, :width]):
                cv2.LUT(cv2.extractChannel(picture, channel), shades[channel], dst=plane)
        return batch.to(self._dtype)

    def _to_source(
        self, answer: dict[str, Tensor], size: tuple[int, int], out_size: tuple[int, int]
    ) -> list[Found]:
        """The network's answer for one picture, in px of the source frame."""
        scale = np.tile(np.divide(out_size, size), 2)
        boxes = answer["boxes"].double().cpu().numpy() * scale
        masks = answer["masks"][:, 0].float().cpu().numpy()
        scores = answer["scores"].float().cpu().tolist()
        classes = answer["labels"].cpu().tolist()
        return [
            Found(self._labels[number - 1], score, tuple(box.tolist()), encode(mask, box, out_size))
            for box, mask, score, number in zip(boxes, masks, scores, classes, strict=True)
        ]


def _check(images: Sequence[Picture], out_sizes: Sequence[tuple[int, int]]) -> None:
    if len(images) != len(out_sizes):
        message = f"{len(images)} pictures and {len(out_sizes)} sizes"
        raise ValueError(message)
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        message = f"the pictures of a call have one size, these have {sorted(shapes)}"
        raise ValueError(message)
    for image in images:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            message = f"a picture is (H, W, 3) uint8, not {image.shape} {image.dtype}"
            raise ValueError(message)


def encode(
    mask: NDArray[np.float32], box: NDArray[np.float64], size: tuple[int, int]
) -> tuple[tuple[int, int], str]:
    """((height, width), counts): the mask of one box, more probable than not, at frame size.

    `mask` is what the mask head says of the box, (M, M) in 0..1; `size` is (width, height).
    """
    width, height = size
    side = mask.shape[0]
    # A ring of zeros around the mask lets its edge fall off outside the box.
    grow = (side + 2) / side
    middle = (box[:2] + box[2:]) / 2
    half = (box[2:] - box[:2]) / 2 * grow
    left, top, right, bottom = np.trunc([*(middle - half), *(middle + half)]).astype(int)
    wide, high = max(right - left + 1, 1), max(bottom - top + 1, 1)
    scaled = cv2.resize(np.pad(mask, 1), (int(wide), int(high)), interpolation=cv2.INTER_LINEAR)
    x1, x2 = np.clip((left, left + wide), 0, width)
    y1, y2 = np.clip((top, top + high), 0, height)
    bitmap = np.zeros((height, width), np.uint8, order="F")
    bitmap[y1:y2, x1:x2] = scaled[y1 - top : y2 - top, x1 - left : x2 - left] > 0.5
    rle = coco_mask.encode(bitmap)
    return (height, width), rle["counts"].decode("ascii")


def load_segmenter(
    weights: str | Path,
    device: str = "cpu",
    batch: int = 4,
    score_threshold: float | None = None,
    offline: bool = True,
    *,
    dtype: torch.dtype = torch.float32,
    file: Path | None = None,
) -> Segmenter:
    """A segmenter with the weights of a shipped name, a path, or torchvision's `coco`/`coco_v2`.

    torchvision's are looked for in torch's cache, or at `file`, and only downloaded when not
    `offline`. CheckpointError says what is missing or damaged and what to do.
    """
    torch.set_flush_denormal(True)
    if str(weights) in {"coco", "coco_v2"}:
        card = coco_card(str(weights))
        _, member = _coco_member(str(weights))
        state = torchvision_state(member, offline=offline, announce=_LOGGER.warning, file=file)
        network = build(card.architecture)
        load_published(network, state, str(weights))
    else:
        card, state = load(weights)
        if card.network != "mask_rcnn":
            message = f"{weights}: a {card.network} network; a mask_rcnn is needed"
            raise CheckpointError(message)
        network = build(card.architecture)
        load_into(network, state, str(weights))
    return Segmenter(
        network, card, device=device, dtype=dtype, batch=batch, score_threshold=score_threshold
    )
