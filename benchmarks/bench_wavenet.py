"""What a tenth of a second of sound costs the streaming WaveNet, and what its cached state saves.

    python benchmarks/bench_wavenet.py [--weights sound] [--rounds 5]

One thread. Every round times all ways once, in turn, so that a busy machine is busy for all of
them; the figures are medians over the rounds, the ratios medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from models.wavenet import WaveNet, load_sound

HOPS = 40


@torch.inference_mode()
def ways(network: WaveNet) -> dict[str, tuple[Callable[[], object], int]]:
    """A way's name -> what runs HOPS hops in that way, and how many stream-hops that makes."""
    hop, second = network.hop, network.sample_rate

    def streamed(streams: int, hops: int) -> Callable[[], object]:
        chunk = torch.randn(streams, 1, hops * hop) * 0.1
        state = network.initial_state(streams)

        def run() -> None:
            now = state
            for _ in range(HOPS // hops):
                _, now = network.stream(chunk, now)

        return run

    last_second = torch.randn(1, 1, second) * 0.1

    def rerun() -> None:
        for _ in range(HOPS):
            network(last_second)

    return {
        "one stream, hop by hop": (streamed(1, 1), HOPS),
        "the last second again for every hop": (rerun, HOPS),
        "one stream, five hops at once": (streamed(1, 5), HOPS),
        "16 streams in a batch": (streamed(16, 1), 16 * HOPS),
        "32 streams in a batch": (streamed(32, 1), 32 * HOPS),
    }


def main() -> None:
    """Prints costs and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="sound")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _, network = load_sound(arguments.weights)
    chosen = ways(network)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with torch.inference_mode():
        for run, _ in chosen.values():
            run()
        for _ in range(arguments.rounds):
            for name, (run, hops) in chosen.items():
                began = time.perf_counter()
                run()
                seconds[name].append((time.perf_counter() - began) / hops)
    hop_s = network.hop / network.sample_rate
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, one thread")
    for name, costs in seconds.items():
        cost = statistics.median(costs)
        print(f"{name:38s} {1000 * cost:7.3f} ms a hop, {hop_s / cost:7.0f} streams a core")
    one = seconds["one stream, hop by hop"]
    for name in ("the last second again for every hop", "16 streams in a batch"):
        ratios = [other / mine for other, mine in zip(seconds[name], one, strict=True)]
        ratio = statistics.median(ratios)
        told = f"{ratio:.2f}x the cost of" if ratio > 1 else f"{1 / ratio:.2f}x cheaper a hop than"
        print(f"{name}: {told} one stream, hop by hop")


if __name__ == "__main__":
    main()
