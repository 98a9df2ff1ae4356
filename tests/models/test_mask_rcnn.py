"""A Segmenter answers as torchvision does, whoever shares the batch, and says what it cannot do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import paste_masks_in_image

from models.card import Card, CheckpointError
from models.checkpoint import save
from models.mask_rcnn import Found, Segmenter, build, coco_card, encode, load_segmenter
from tests.networks import INSTANCES

WIDTH, HEIGHT = 100, 70  # no multiples of 32, so every batch is padded
SIZE = (WIDTH, HEIGHT)
Picture = NDArray[np.uint8]


def card(**changes: object) -> Card:
    return Card("blur", "mask_rcnn", ("thing",), INSTANCES, {"min_size": 64, **changes})


def network() -> MaskRCNN:
    """Random weights that find a dozen things in each picture, of scores that differ."""
    torch.manual_seed(1)
    made = build(INSTANCES)
    made.roi_heads.box_predictor.cls_score.weight.data *= 8
    made.roi_heads.box_predictor.cls_score.bias.data[1] = 1
    made.roi_heads.mask_predictor.mask_fcn_logits.weight.data *= 30
    return made.eval()


def pictures(count: int, seed: int = 0) -> list[Picture]:
    """Grey noise with bright patches."""
    rng = np.random.default_rng(seed)
    made = rng.integers(60, 120, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for picture in made:
        x, y = rng.integers(0, WIDTH - 30), rng.integers(0, HEIGHT - 30)
        picture[y : y + 30, x : x + 20] = rng.integers(0, 255, 3)
    return list(made)


def run(made: Segmenter, images: Sequence[Picture]) -> list[list[Found]]:
    return made.segment(images, [SIZE] * len(images))


def test_it_answers_as_torchvision_does() -> None:
    image = pictures(1)[0]
    segmenter = Segmenter(network(), card(), batch=1, score_threshold=0.3)
    found = run(segmenter, [image])[0]
    theirs = network()
    theirs.roi_heads.score_thresh = 0.3
    theirs.transform.min_size = (HEIGHT,)  # taken as it is
    with torch.inference_mode():
        answer = theirs([torch.from_numpy(image).permute(2, 0, 1) / 255])[0]
    assert len(found) == len(answer["scores"]) > 5
    torch.testing.assert_close(torch.tensor([f.score for f in found]), answer["scores"])
    torch.testing.assert_close(
        torch.tensor([f.box for f in found]), answer["boxes"], rtol=1e-4, atol=1e-3
    )
    masks = (answer["masks"][:, 0] > 0.5).numpy()
    assert masks.any()
    for mine, mask in zip(found, masks, strict=True):
        assert np.abs(bitmap(mine.rle) - mask).mean() < 0.002


def bitmap(rle: tuple[tuple[int, int], str]) -> NDArray[np.int_]:
    return coco_mask.decode({"size": list(rle[0]), "counts": rle[1]}).astype(int)


@pytest.mark.parametrize("slot", range(4))
def test_any_slot_of_a_batch_gives_the_same_answer(slot: int) -> None:
    segmenter = Segmenter(network(), card(), batch=4, score_threshold=0.3)
    image, *others = pictures(4)
    alone = run(segmenter, [image])
    assert alone[0]
    others.insert(slot, image)
    assert run(segmenter, others)[slot] == alone[0]


def test_pictures_are_normalised_and_padded_to_whole_strides() -> None:
    made = Segmenter(network(), card(), batch=2)
    images = np.random.default_rng(0).integers(0, 255, (2, 40, 50, 3), dtype=np.uint8)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    wanted = (torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std
    found = made.prepared(images, pad_to=3)
    assert found.shape == (3, 3, 64, 64)
    torch.testing.assert_close(found[:2, :, :40, :50], wanted)
    assert not found[2].any()
    assert not found[:, :, 40:].any()
    assert not found[:, :, :, 50:].any()


def test_more_pictures_than_a_batch_come_back_in_their_order() -> None:
    segmenter = Segmenter(network(), card(), batch=2, score_threshold=0.3)
    images = pictures(5)
    assert run(segmenter, images) == [run(segmenter, [image])[0] for image in images]
    assert run(segmenter, []) == []


def test_the_size_of_the_batch_moves_no_score() -> None:
    images = pictures(3)
    one = run(Segmenter(network(), card(), batch=1, score_threshold=0.3), images)
    eight = run(Segmenter(network(), card(), batch=8, score_threshold=0.3), images)
    for here, there in zip(one, eight, strict=True):
        assert [f.score for f in here] == pytest.approx([f.score for f in there], abs=1e-4)


def test_boxes_and_masks_are_in_pixels_of_the_source() -> None:
    segmenter = Segmenter(network(), card(), score_threshold=0.3)
    image = pictures(1)[0]
    small = segmenter.segment([image], [SIZE])[0]
    large = segmenter.segment([image], [(3 * WIDTH, 2 * HEIGHT)])[0]
    assert small
    for one, other in zip(small, large, strict=True):
        assert other.box == pytest.approx(np.multiply(one.box, (3, 2, 3, 2)))
        assert one.rle[0] == (HEIGHT, WIDTH)
        assert other.rle[0] == (2 * HEIGHT, 3 * WIDTH)


def test_best_scores_come_first_and_none_is_below_the_threshold() -> None:
    for threshold in (0.3, 0.6):
        segmenter = Segmenter(network(), card(), score_threshold=threshold)
        scores = [found.score for found in run(segmenter, pictures(1))[0]]
        assert scores == sorted(scores, reverse=True)
        assert all(score > threshold for score in scores)


def test_the_card_says_the_threshold_unless_somebody_else_does() -> None:
    told = Card("b", "mask_rcnn", ("t",), INSTANCES, {"min_size": 64}, postprocessing={})
    made = network()
    Segmenter(made, told)
    assert made.roi_heads.score_thresh == 0.5
    Segmenter(
        made, Card("b", "mask_rcnn", ("t",), {}, {"min_size": 9}, postprocessing={"min_score": 0.7})
    )
    assert made.roi_heads.score_thresh == 0.7


def test_nothing_found_is_an_empty_list() -> None:
    segmenter = Segmenter(network(), card(), score_threshold=0.99999)
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert run(segmenter, [black, black]) == [[], []]


def test_half_precision_stays_close() -> None:
    image = pictures(1)[0]
    made = {
        dtype: run(Segmenter(network(), card(), dtype=dtype, score_threshold=0.3), [image])[0]
        for dtype in (torch.float32, torch.bfloat16)
    }
    exact, close = made[torch.float32], made[torch.bfloat16]
    assert len(exact) > 5
    assert close != exact
    assert abs(len(close) - len(exact)) <= len(exact) // 4
    assert close[0].score == pytest.approx(exact[0].score, abs=0.05)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)], "one size"),
        ([np.zeros((8, 8), np.uint8)], "H, W, 3"),
        ([np.zeros((8, 8, 3), np.float32)], "uint8"),
        ([np.zeros((8, 8, 4), np.uint8)], "H, W, 3"),
    ],
    ids=["sizes", "grey", "floats", "alpha"],
)
def test_what_is_no_picture_is_refused(images: list[Picture], told: str) -> None:
    segmenter = Segmenter(network(), card())
    with pytest.raises(ValueError, match=told):
        segmenter.segment(images, [(8, 8)] * len(images))


def test_pictures_and_sizes_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="1 pictures and 2 sizes"):
        Segmenter(network(), card()).segment(pictures(1), [SIZE, SIZE])
    with pytest.raises(ValueError, match="at least one"):
        Segmenter(network(), card(), batch=0)


@st.composite
def boxes(draw: st.DrawFn) -> NDArray[np.float64]:
    """A box that may lie partly, but not wholly, outside a picture of 100x70."""
    wide, high = (
        draw(st.floats(10, 80, allow_subnormal=False)),
        draw(st.floats(10, 80, allow_subnormal=False)),
    )
    x, y = (
        draw(st.floats(5 - wide, WIDTH - 5, allow_subnormal=False)),
        draw(st.floats(5 - high, HEIGHT - 5, allow_subnormal=False)),
    )
    return np.array([x, y, x + wide, y + high])


@given(boxes(), st.integers(0, 9))
def test_masks_are_pasted_as_torchvision_pastes_them(box: NDArray[np.float64], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:28, :28]
    middle, radius = rng.uniform(9, 19, 2), rng.uniform(8, 14)
    mask = 1 / (1 + np.exp(np.hypot(rows - middle[0], columns - middle[1]) - radius))
    mask = mask.astype(np.float32)
    theirs = paste_masks_in_image(
        torch.from_numpy(mask)[None, None], torch.from_numpy(box)[None].float(), (HEIGHT, WIDTH)
    )
    wanted = (theirs[0, 0] > 0.5).numpy()
    mine = bitmap(encode(mask, box, SIZE)) > 0
    union = (wanted | mine).sum()
    # A sliver of a few pixels at the border may differ in one of them.
    assert union - (wanted & mine).sum() <= max(2, 0.02 * union)


def test_a_box_outside_the_picture_has_an_empty_mask() -> None:
    solid = np.ones((28, 28), np.float32)
    for box in ([200, 10, 220, 30], [-50, -50, -20, -20], [10, 90, 30, 120]):
        assert not bitmap(encode(solid, np.array(box, float), SIZE)).any()


def test_a_checkpoint_loads_and_answers_the_same(tmp_path: Path) -> None:
    made = network()
    save(tmp_path / "blur.safetensors", made.state_dict(), card())
    loaded = load_segmenter(tmp_path / "blur.safetensors", score_threshold=0.3)
    images = pictures(2)
    assert run(loaded, images) == run(Segmenter(made, card(), score_threshold=0.3), images)
    assert loaded.min_size == 64
    assert loaded.card.sha256


def test_another_network_is_refused(tmp_path: Path) -> None:
    ours = Card("sound", "wavenet", ("bark",), {}, {})
    save(tmp_path / "sound.safetensors", {"weight": torch.zeros(1)}, ours)
    with pytest.raises(CheckpointError, match="a wavenet network; a mask_rcnn is needed"):
        load_segmenter(tmp_path / "sound.safetensors")


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "bad.safetensors", {"weight": torch.zeros(1)}, card())
    with pytest.raises(CheckpointError, match="do not match the network"):
        load_segmenter(tmp_path / "bad.safetensors")


@pytest.mark.parametrize(("weights", "size"), [("coco", "169.8 MB"), ("coco_v2", "177.2 MB")])
def test_coco_cards_are_read_without_weights(
    weights: str, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    known = coco_card(weights)
    assert known.labels[0] == "person"
    assert known.labels[89] == "toothbrush"
    assert len(known.sha256) == 8
    assert known.preprocessing["min_size"] == 800
    with pytest.raises(CheckpointError) as caught:
        load_segmenter(weights)
    for part in (f"-{known.sha256}.pth", str(tmp_path), size, "allow the download"):
        assert part in str(caught.value)


def test_there_are_no_other_coco_weights() -> None:
    with pytest.raises(CheckpointError, match="coco and coco_v2"):
        coco_card("coco_v3")
