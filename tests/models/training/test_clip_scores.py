"""Whole clips are judged by what the network says all along, be it of frames or of snippets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.clip import ClipNetwork, build_clip
from models.training.clip_scores import score_clips
from models.training.clip_sequences import Clips
from models.training.dataset import Example

LABELS = ("one", "other")
SNIPPET = 4


def network(way: str) -> ClipNetwork:
    torch.manual_seed(3)
    size = {"width": 16, "height": 16}
    cnn = (
        {"name": "tiny", "channels": [8, 8, 8], "grid_channels": 2, **size}
        if way == "features_rnn"
        else {"name": "c3d_small", "channels": [8, 8], "grid": 1, "frames": SNIPPET, **size}
    )
    heads = {"features_rnn": "gru", "conv3d": "latest", "conv3d_features_rnn": "gru"}
    head = {"name": heads[way], **({"hidden": 8} if heads[way] == "gru" else {})}
    return build_clip({"way": way, "cnn": cnn, "head": head, "classes": 2}).eval()


def clip(frames: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (frames, 16, 16, 3)).astype(np.uint8)


@pytest.mark.parametrize("way", ["features_rnn", "conv3d", "conv3d_features_rnn"])
@pytest.mark.parametrize(("frames", "judged"), [(10, 8), (SNIPPET, SNIPPET), (2, None)])
def test_a_clip_is_called_what_its_mean_score_says(
    way: str, frames: int, judged: int | None
) -> None:
    judge = network(way)
    examples = [Example(Path(f"{seed}.mp4"), LABELS[seed % 2]) for seed in range(6)]
    clips = Clips({one: clip(frames, seed) for seed, one in enumerate(examples)})
    scores = score_clips(judge, LABELS, examples, clips)
    right = 0
    for one in examples:
        whole = clips.frames[one]
        if judged is None and way != "features_rnn":
            whole = np.concatenate([whole, np.repeat(whole[-1:], SNIPPET - frames, 0)])
        elif way != "features_rnn":
            whole = whole[:judged]
        pictures = torch.from_numpy(whole).permute(0, 3, 1, 2)[None].float() / 255
        with torch.inference_mode():
            mean = judge.head(judge.encode(pictures)).softmax(-1)[0].mean(0)
        right += LABELS[int(mean.argmax())] == one.label
    assert scores.accuracy == pytest.approx(right / len(examples))
