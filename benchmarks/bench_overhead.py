"""What witness costs: the demo clip through a bare loop and through witness, in pairs.

    python benchmarks/bench_overhead.py [--pairs 5]

Prints the throughput of `--engine local` and of Ray as a ratio to the bare loop (1.00 is no
overhead), median of the pairs. Start-up is left out on both sides: each side passes the clip once
to warm up, and the second pass counts. Neither side draws pictures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from bare_loop import BareLoop

from pipeline.config.schema import RunConfig
from pipeline.measure.values import Metrics
from pipeline.records import Digest, StreamInfo
from pipeline.run.job import Job, StreamResult, build_lanes, name_sources
from pipeline.run.local import run_local

CLIP = Path(__file__).parent.parent / "examples" / "street.mp4"


class Silent:
    """A watcher that does not look."""

    def opened(self, info: StreamInfo, idle: Sequence[str]) -> None:
        """Nothing."""

    def reached(self, stream: str, position: Fraction) -> None:
        """Nothing."""

    def found(self, digests: Sequence[Digest]) -> None:
        """Nothing."""

    def closed(self, result: StreamResult) -> None:
        """Nothing."""


def job(out: Path) -> Job:
    """The demo's job, twice the clip, one after the other, rows only."""
    config = RunConfig(outputs=("jsonl",), pool={"readers": 1})  # type: ignore[arg-type]
    lanes = build_lanes(config, "cpu", offline=True)
    return Job(name_sources([str(CLIP), str(CLIP)]), config, out, "cpu", lanes)


def second_pass(run: Callable[..., tuple[list[StreamResult], bool]], out: Path) -> float:
    """Wall seconds of the second pass of the clip."""
    results, _ = run(job(out), Silent(), Metrics())
    assert all(result.error is None for result in results), results
    assert results[1].summary is not None
    return float(results[1].summary["wall_s"])


def main() -> None:
    """Measures in pairs and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--plain", action="store_true", help="the bare loop's networks as in torch")
    arguments = parser.parse_args()
    pairs = arguments.pairs

    from pipeline.run.ray_files import run_ray

    bare = BareLoop(plain=arguments.plain)
    for name, run in (("local", run_local), ("ray", run_ray)):
        ratios = []
        for _ in range(pairs):
            with tempfile.TemporaryDirectory() as folder:
                bare.run(CLIP, Path(folder) / "warm.jsonl")
                by_hand = bare.run(CLIP, Path(folder) / "bare.jsonl")
                witness = second_pass(run, Path(folder))
            ratios.append(by_hand / witness)
            told = f"{name}: bare {by_hand:.2f} s, witness {witness:.2f} s, {ratios[-1]:.3f}x"
            print(told, flush=True)
        print(
            f"{name}: median {statistics.median(ratios):.3f}x the bare loop's throughput "
            f"(min {min(ratios):.3f}, max {max(ratios):.3f}, {pairs} pairs)"
        )


if __name__ == "__main__":
    main()
