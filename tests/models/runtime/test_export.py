import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.card import Card
from models.runtime import ExportRefused, Part, graph
from models.runtime.export import Target, export
from models.runtime.networks import load_any
from tests.networks import action_lane, instances_lane, sound_lane

LANES = {"sound": sound_lane, "action": action_lane, "instances": instances_lane}
PARTS = {
    "sound": ("sound",),
    "action": ("features", "step"),
    "instances": ("maps", "proposing", "boxes", "masks"),
}


def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 255, (2, 60, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("lane", "to"), [("sound", "onnx"), ("action", "openvino"), ("instances", "onnx")]
)
def test_writes_the_parts_and_a_card_with_what_was_compared(
    tmp_path: Path, lane: str, to: Target
) -> None:
    loaded = load_any(LANES[lane](tmp_path).weights)
    done = export(loaded, to, tmp_path / "out", pictures())
    assert not done.agreement.failures("float32")
    card = json.loads(done.files[-1].read_text())
    assert Card(**{**card["network"], "labels": tuple(card["network"]["labels"])}) == loaded.card
    assert tuple(part["name"] for part in card["parts"]) == PARTS[lane]
    assert card["equality"]["logit_error"] < 1e-3
    if lane == "instances":
        assert card["equality"]["things"] > 5
        assert card["equality"]["mask_iou"] > 0.98
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {*card["files"], done.files[-1].name}


def test_an_export_that_answers_differently_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_any(sound_lane(tmp_path).weights)
    honest = graph.to_onnx

    def damaged(part: Part) -> bytes:
        part.module.get_buffer("last_bias").add_(1)
        return honest(part)

    monkeypatch.setattr("models.runtime.export.to_onnx", damaged)
    with pytest.raises(ExportRefused, match=r"a logit differs by 1, allowed are 0\.001"):
        export(loaded, "onnx", tmp_path / "out", pictures())
    assert list((tmp_path / "out").iterdir()) == []


def test_what_torch_cannot_export_is_refused() -> None:
    class Sorted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x)

    part = Part("odd", Sorted(), ("x",), ("y",), (torch.rand(3, 3),))
    with pytest.raises(ExportRefused, match="odd: torch cannot export it"):
        graph.to_onnx(part)
