"""What witness holds in memory: a Reader at 720p, and whether length matters.

    python benchmarks/bench_memory.py reader      anonymous memory of a Reader process at 720p
    python benchmarks/bench_memory.py length      peak of 2 and 10 minutes, --engine E, --lanes L

The clips are made here: 720p test pictures with a tone, and the demo clip looped without encoding
it again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil

CLIP = Path(__file__).parent.parent / "examples" / "street.mp4"
READ = """
import sys
from pipeline.config.schema import RunConfig
from pipeline.cut import Reader
from pipeline.run.job import build_lanes
reader = Reader(sys.argv[1], "yard", build_lanes(RunConfig(), "cpu", offline=True))
windows = sum(len(cut.windows) for cut in reader.cuts())
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(windows, status["RssAnon"].split()[0], status["RssFile"].split()[0], "torch" in sys.modules)
"""


def make_720p(path: Path, seconds: int = 20) -> None:
    """A moving 1280x720 test picture at 25 frames a second with a tone, H.264 + AAC."""
    grid = np.add.outer(np.arange(720), np.arange(1280)).astype(np.uint16)
    noise = np.random.default_rng(0).integers(0, 40, (720, 1280, 3), np.uint8)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
        audio = out.add_stream("aac", rate=48_000)
        for number in range(25 * seconds):
            shade = ((grid + 5 * number) % 200).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(shade[:, :, None] + noise, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
            at = np.arange(1920 * number, 1920 * (number + 1)) / 48_000
            tone = (0.2 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)[None]
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.rate, sound.pts, sound.time_base = 48_000, 1920 * number, Fraction(1, 48_000)
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def loop(path: Path, times: int) -> None:
    """The demo clip, `times` in a row, packets copied."""
    length = turn_length()
    with av.open(str(path), "w") as out:
        outs = {}
        for turn in range(times):
            with av.open(str(CLIP)) as clip:
                for stream in clip.streams:
                    if turn == 0:
                        outs[stream.type] = out.add_stream_from_template(stream)
                for packet in clip.demux():
                    if packet.dts is None:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = outs[packet.stream.type]
                    out.mux(packet)


def turn_length() -> Fraction:
    """Seconds from the first packet of any stream to the end of the last one.

    The header's duration leaves out what an encoder needs to start, and packets would overlap.
    """
    with av.open(str(CLIP)) as clip:
        packets = [packet for packet in clip.demux() if packet.dts is not None]
        start = min(packet.pts * packet.time_base for packet in packets)
        return max((p.pts + p.duration) * p.time_base for p in packets) - start


def reader() -> None:
    """Prints what one Reader process holds after a 720p clip."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "720p.mp4"
        make_720p(clip)
        done = subprocess.run(
            [sys.executable, "-c", READ, str(clip)], check=True, capture_output=True, text=True
        )
        windows, anon, file, torch = done.stdout.split()
        print(
            f"reader at 720p: {windows} windows, RssAnon {int(anon) / 1024:.0f} MB, "
            f"RssFile {int(file) / 1024:.0f} MB, torch imported: {torch}"
        )


def peak_of(command: list[str]) -> dict[str, int]:
    """The highest anonymous memory, in bytes, of each kind of process of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    root = psutil.Process(process.pid)
    peaks: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for kind, size in held_by(root).items():
                peaks[kind] = max(size, peaks.get(kind, 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{command} ended with {code}")
    return peaks


def held_by(root: psutil.Process) -> dict[str, int]:
    """Anonymous memory now, in bytes, by kind of process below `root`, and of `all`."""
    now = {"all": 0}
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [root, *root.children(recursive=True)]:
            try:
                name = one.name()
                title = " ".join(one.cmdline())[:40].split("(")[0]
                status = Path(f"/proc/{one.pid}/status").read_text()
            except (psutil.Error, OSError):
                continue
            # A process that has just ended has no such line.
            lines = [line for line in status.splitlines() if line.startswith("RssAnon")]
            size = sum(int(line.split()[1]) * 1024 for line in lines)
            kind = title.split(".")[0] if title.startswith("ray::") else name
            now[kind] = now.get(kind, 0) + size
            now["all"] += size
    return now


def length(engine: str, lanes: str) -> None:
    """Prints the peaks of a short and a long clip, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        config = Path(folder) / "rows.yaml"
        config.write_text("outputs: [jsonl, parquet]\n")
        for minutes, times in ((2, 4), (10, 20)):
            clip = Path(folder) / f"{minutes}min.mp4"
            loop(clip, times)
            started = time.perf_counter()
            command = [sys.executable, "-m", "pipeline", "run", str(clip), "--out", folder]
            peaks[minutes] = peak_of(
                [*command, "--engine", engine, "--lanes", lanes, "--config", str(config)]
            )
            summary = json.loads((Path(folder) / clip.stem / "summary.json").read_text())
            print(
                f"{engine}, {lanes}, {summary['media_s']:.0f} s of media in "
                f"{time.perf_counter() - started:.0f} s: peak of anonymous memory "
                f"{peaks[minutes]['all'] / 2**20:.0f} MB"
            )
        for kind in sorted(peaks[2]):
            short, long = peaks[2][kind], peaks[10].get(kind, 0)
            print(f"  {kind}: {short / 2**20:.1f} -> {long / 2**20:.1f} MB, {long / short:.3f}x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["reader", "length"])
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--lanes", default="action,instances,sound")
    arguments = parser.parse_args()
    if arguments.what == "reader":
        reader()
    else:
        length(arguments.engine, arguments.lanes)
