"""Small networks with random weights, saved as checkpoints that the lanes can use."""

from pathlib import Path

import torch

from models import action, mask_rcnn, wavenet
from models.card import Card
from models.checkpoint import save
from pipeline.lanes.action import ActionLane
from pipeline.lanes.instances import InstancesLane
from pipeline.lanes.labels import HysteresisConfig
from pipeline.lanes.sound import SoundLane

ANY = HysteresisConfig(smooth_s=0, on=0.4, off=0.4, min_s=0, merge_s=0)
LABELS = ("background", "bark", "bell")
WAVENET = {
    "classes": 3,
    "sample_rate": 8000,
    "hop": 400,
    "stride": 100,
    "taps": 120,
    "bands": 8,
    "channels": 8,
    "skips": 8,
    "dilations": [1, 2, 4],
    "level_hops": 3,
    "pool_hops": 2,
}
ACTION = {
    "cnn": {
        "name": "tiny",
        "width": 32,
        "height": 24,
        "channels": [8, 8, 8],
        "grid_channels": 4,
    },
    "head": {"name": "gru", "hidden": 8},
    "classes": 3,
}

INSTANCES = {
    "body": "compact",
    "classes": 1,
    "channels": [8, 8, 8, 8, 8],
    "out_channels": 8,
    "hidden": 16,
    "anchor_sizes": [[16.0], [32.0], [64.0]],
    "anchor_ratios": [1.0],
}


def sound_lane(folder: Path) -> SoundLane:
    """A sound lane whose network knows nothing, but says it loudly."""
    torch.manual_seed(0)
    network = wavenet.build(WAVENET)
    network.last.weight.data *= 30
    card = Card("noise", "wavenet", LABELS, WAVENET, {"sample_rate": 8000, "hop": 400})
    save(folder / "noise.safetensors", network.state_dict(), card)
    return SoundLane(kind="sound", weights=str(folder / "noise.safetensors"), spans=ANY)


def action_lane(folder: Path) -> ActionLane:
    """An action lane of the same kind."""
    torch.manual_seed(0)
    network = action.build(ACTION)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1:
            parameter.data *= 4
        elif "head" in name:
            parameter.data.zero_()
    want = {"rate_hz": 10, "width": 32, "height": 24}
    save(
        folder / "fidget.safetensors",
        network.state_dict(),
        Card("fidget", "action", LABELS, ACTION, want),
    )
    return ActionLane(kind="action", weights=str(folder / "fidget.safetensors"), spans=ANY)


def instances_lane(folder: Path) -> InstancesLane:
    """An instances lane of the same kind."""
    torch.manual_seed(0)
    network = mask_rcnn.build(INSTANCES)
    card = Card("blur", "mask_rcnn", ("thing",), INSTANCES, {"min_size": 48})
    save(folder / "blur.safetensors", network.state_dict(), card)
    weights = str(folder / "blur.safetensors")
    return InstancesLane(kind="instances", weights=weights, min_score=0.3)
