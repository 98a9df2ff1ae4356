"""What each frame CNN costs: parameters, GFLOPs, the size of its feature, milliseconds on a CPU.

    python benchmarks/frame_cnns.py [--threads 1] [--times 7]

Parameters are of the whole classifier, of 1,000 classes, or of 10 where the network is our own;
GFLOPs, two for each multiply-add, are counted by torch on one picture of the size in the table;
milliseconds are the median CPU time of that pass, from picture to feature, with random weights.
Writes frame_cnns.json beside this file; `make docs` makes the table of it.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.frame_cnn import TRUNKS, FrameCNN

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Cost:
    """A row of the table; `auxiliary` parameters are of classifiers that only training has."""

    name: str
    classes: int
    parameters: int
    auxiliary: int
    gflops: float
    width: int
    height: int
    feature_size: int
    cpu_ms: float


def cost(name: str, times: int) -> Cost:
    """The row of one network."""
    classes = 10 if TRUNKS[name].published is None else 1000
    with torch.device("meta"), torch.inference_mode():
        whole = FrameCNN(name, classes=classes).eval()
        with FlopCounterMode(display=False) as counter:
            whole.classify(torch.empty(1, 3, whole.height, whole.width))
    count = sum(parameter.numel() for parameter in whole.parameters())
    auxiliary = sum(p.numel() for key, p in whole.named_parameters() if ".aux" in key)
    return Cost(
        name=name,
        classes=classes,
        parameters=count - auxiliary,
        auxiliary=auxiliary,
        gflops=round(counter.get_total_flops() / 1e9, 4),
        width=whole.width,
        height=whole.height,
        feature_size=whole.feature_size,
        cpu_ms=round(milliseconds(FrameCNN(name).eval(), times), 2),
    )


@torch.inference_mode()
def milliseconds(cnn: FrameCNN, times: int) -> float:
    """The median CPU time of one picture; all threads of this process count."""
    picture = torch.rand(1, 3, cnn.height, cnn.width)
    taken = []
    for _ in range(times + 2):
        began = time.process_time()
        cnn(picture)
        taken.append(1000 * (time.process_time() - began))
    return statistics.median(taken[2:])


def cpu_name() -> str:
    """What the system calls its CPU."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Measures all of them, one after the other, and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    rows = []
    for name in TRUNKS:
        rows.append(cost(name, options.times))
        print(rows[-1], flush=True)
    report = {
        "cpu": cpu_name(),
        "threads": options.threads,
        "torch": torch.__version__,
        "times": options.times,
        "networks": [asdict(row) for row in rows],
    }
    (HERE / "frame_cnns.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
