"""What witness holds in memory: a Reader at 720p, and whether length matters.

    python benchmarks/bench_memory.py reader      anonymous memory of a Reader process at 720p
    python benchmarks/bench_memory.py length      peak of 2 and 10 minutes, --engine E

The clips are made here: 720p test pictures with a tone, and the demo clip looped without encoding
it again.
"""

from __future__ import annotations

import argparse
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
    with av.open(str(path), "w") as out:
        outs = {}
        for turn in range(times):
            with av.open(str(CLIP)) as clip:
                length = Fraction(clip.duration, av.time_base)
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
    peaks: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            now: dict[str, int] = {}
            root = psutil.Process(process.pid)
            for one in [root, *root.children(recursive=True)]:
                try:
                    title = " ".join(one.cmdline())[:40].split("(")[0] or one.name()
                    status = Path(f"/proc/{one.pid}/status").read_text()
                except (psutil.Error, OSError):
                    continue
                anon = next(x for x in status.splitlines() if x.startswith("RssAnon"))
                kind = title if title.startswith("ray::") else one.name()
                now[kind] = now.get(kind, 0) + int(anon.split()[1]) * 1024
            now["all"] = sum(now.values())
            for kind, size in now.items():
                peaks[kind] = max(size, peaks.get(kind, 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        sys.exit(f"{command} ended with {code}")
    return peaks


def length(engine: str) -> None:
    """Prints the peaks of a short and a long clip, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        config = Path(folder) / "rows.yaml"
        config.write_text("outputs: [jsonl, parquet]\n")
        for minutes, times in ((2, 4), (10, 20)):
            clip = Path(folder) / f"{minutes}min.mp4"
            loop(clip, times)
            started = time.perf_counter()
            command = ["witness", "run", str(clip), "--out", folder, "--engine", engine]
            peaks[minutes] = peak_of(
                [sys.executable, "-m", "pipeline", *command[1:], "--config", str(config)]
            )
            summary = json.loads((Path(folder) / clip.stem / "summary.json").read_text())
            print(
                f"{engine}, {summary['media_s']:.0f} s of media in "
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
    arguments = parser.parse_args()
    if arguments.what == "reader":
        reader()
    else:
        length(arguments.engine)
