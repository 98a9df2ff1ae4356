"""What a tenth of a second of sound costs the streaming WaveNet, and what its cached state saves.

    python benchmarks/bench_wavenet.py [--weights sound] [--rounds 5] [--runtimes eager onnx]

One thread. Every round times all ways once, in turn, so that a busy machine is busy for all of
them; the figures are medians over the rounds, the ratios medians of the rounds' ratios.

Without cached state, the network would hear the past again for every hop: the last second, or,
to give the same answer, as much as it reaches back. Both are timed in the same runtime and with
the same code as the hop, and once by the network's own `forward`, as it is trained. How far the
answers are from the stream's is told beside.

Last comes the form that reads every sample (models/generative.py), as unusual sounds are told.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from models.generative import GenerativeWaveNet
from models.runtime import RUNTIMES, RuntimeUnavailable, get_runtime
from models.runtime.sound import RunningWaveNet, run_sound
from models.wavenet import WaveNet, load_sound

HOPS = 40
ONE = "one stream, hop by hop"
MANY = 32
BATCH = f"{MANY} streams in a batch"
AGAIN = "the last second again for every hop"
Clock = Callable[[], float]  # seconds
Way = tuple[Callable[[], object], int]  # what runs, and how many stream-hops that makes


def ways(network: WaveNet, running: RunningWaveNet) -> dict[str, Way]:
    """Every way to go through HOPS hops, by name."""

    def streamed(streams: int, hops: int) -> Way:
        chunk = torch.randn(streams, 1, hops * network.hop) * 0.1
        state = running.initial_state(streams)

        def run() -> None:
            now = state
            for _ in range(HOPS // hops):
                _, now = running.stream(chunk, now)

        return run, streams * HOPS

    def again(listen: Callable[[Tensor], object], hops: int, streams: int = 1) -> Way:
        past = torch.randn(streams, 1, hops * network.hop) * 0.1
        times = max(1, HOPS // streams)

        def run() -> None:
            for _ in range(times):
                listen(past)

        return run, times * streams

    def afresh(past: Tensor) -> object:
        return running.stream(past, running.initial_state(len(past)))

    second, reach = reached(network)
    return {
        ONE: streamed(1, 1),
        AGAIN: again(afresh, second),
        f"all it reaches back, {reach / 10:.1f} s, again": again(afresh, reach),
        "the last second, by the plain forward": again(network, second),
        f"the last {reach / 10:.1f} s, by the plain forward": again(network, reach),
        "one stream, five hops at once": streamed(1, 5),
        "16 streams in a batch": streamed(16, 1),
        BATCH: streamed(MANY, 1),
        f"{MANY} streams, the last second again": again(afresh, second, MANY),
        f"{MANY} streams, all {reach / 10:.1f} s again": again(afresh, reach, MANY),
        f"{MANY} streams, the last second, plain": again(network, second, MANY),
    }


def sample_ways(network: GenerativeWaveNet, hop: int, second: int) -> dict[str, Way]:
    """One stream through the form that reads every sample, with cached state and without."""
    past = torch.randn(1, second) * 0.1
    before = network.initial_state(1)

    def streamed() -> None:
        state = before
        for chunk in past.split(hop, dim=-1):
            _, state = network.surprise(chunk, hop, state)

    def again() -> None:
        network.surprise(past, hop, before)

    return {ONE: (streamed, second // hop), AGAIN: (again, 1)}


def reached(network: WaveNet) -> tuple[int, int]:
    """How many hops are a second, and the receptive field."""
    return network.sample_rate // network.hop, math.ceil(network.receptive_field / network.hop)


def errors(network: WaveNet, running: RunningWaveNet) -> tuple[float, ...]:
    """How far the last logits are from the stream's, after the last second and the whole reach."""
    generator = torch.Generator().manual_seed(0)
    sound = torch.randn(1, 1, 4 * HOPS * network.hop, generator=generator) * 0.1
    sound *= torch.linspace(0, 1, sound.shape[-1]).mul(9).sin()
    state, logits = running.initial_state(1), torch.empty(0)
    for hop in sound.split(network.hop, dim=-1):
        logits, state = running.stream(hop, state)
    pasts = (sound[..., -hops * network.hop :] for hops in reached(network))
    found = (running.stream(past, running.initial_state(1))[0][:, -1] for past in pasts)
    return tuple(float((logits[:, -1] - other).abs().max()) for other in found)


def measured(chosen: dict[str, Way], rounds: int, clock: Clock) -> dict[str, list[float]]:
    """Seconds a stream and hop, of each round."""
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for round_ in range(rounds + 1):
        for name, (run, hops) in chosen.items():
            began = clock()
            run()
            if round_:  # the first is for warming up
                seconds[name].append((clock() - began) / hops)
    return seconds


def report(network: WaveNet, running: RunningWaveNet, rounds: int, clock: Clock) -> None:
    """Prints costs and ratios of one runtime."""
    hop_s = network.hop / network.sample_rate
    tell(measured(ways(network, running), rounds, clock), hop_s)
    second, whole = errors(network, running)
    print(f"  logits of the last second alone are off by {second:.2g}, of the whole {whole:.2g}")


def tell(seconds: dict[str, list[float]], hop_s: float) -> None:
    """Prints what a hop costs by every way, and how it compares with one stream hop by hop."""
    for name, costs in seconds.items():
        cost = statistics.median(costs)
        told = [f"{compared(costs, seconds[ONE])} of one hop"]
        if name.startswith(f"{MANY} streams, "):
            told.append(f"{compared(costs, seconds[BATCH])} of one in a batch")
        print(
            f"  {name:38s} {1000 * cost:7.3f} ms a hop, {hop_s / cost:6.0f} streams a core, "
            f"{', '.join(told)}"
        )


def compared(costs: list[float], others: list[float]) -> str:
    """The median ratio of the rounds, as a person would write it."""
    ratio = statistics.median(a / b for a, b in zip(costs, others, strict=True))
    return f"{ratio:.2f}x" if ratio >= 1 else f"1/{1 / ratio:.2f}"


@torch.inference_mode()
def main() -> None:
    """Prints costs and ratios of each runtime."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="sound")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtimes", nargs="+", default=["eager", "onnx"], choices=RUNTIMES)
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _, network = load_sound(arguments.weights)
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters, one thread")
    for name in arguments.runtimes:
        try:
            running = run_sound(network, get_runtime(name), "float32")
        except RuntimeUnavailable as reason:
            print(f"{name}: skipped: {reason}")
            continue
        print(name)
        report(network, running, arguments.rounds, clock)
    hop, rate = network.hop, network.sample_rate
    by_sample = GenerativeWaveNet().eval()
    print(f"sample by sample, {sum(p.numel() for p in by_sample.parameters()):,} parameters, eager")
    tell(measured(sample_ways(by_sample, hop, rate), arguments.rounds, clock), hop / rate)


if __name__ == "__main__":
    main()
