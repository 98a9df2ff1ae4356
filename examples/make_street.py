"""Makes street.mp4 and street.truth.json: a real street without sound, and planted real sounds.

The pictures are 30 s out of the last 40 % of vtest.avi (Debian opencv-doc), which no network of
this project was trained on. It has no sound of its own, so sounds are mixed in at known times:
CC0 recordings (Debian sonic-pi-samples) from the test split of the sound recipe, and speech by the
espeak-ng program, over a quiet synthetic bed. `python examples/make_street.py [--from FOLDER]`
needs apt-get and espeak-ng; FOLDER holds the packages when they are there already.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.training.packages import Package, fetch
from models.training.sound_data import Samples, find, split
from models.training.sound_mix import synthetic_bed
from models.training.sound_sources import PACKAGES
from pipeline.media.audio import read_mono
from pipeline.media.decode import Decoder
from pipeline.media.encode import Encoder
from pipeline.records import Frame

HERE = Path(__file__).parent
RATE, SECONDS, FIRST_FRAME, FRAMES, FRAMES_PER_S = 48_000, 30.0, 487, 300, 10
BED_DB = -52.0
PICTURES = Package(
    "opencv-doc",
    "4.6.0+dfsg-12",
    "4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
    "Apache-2.0",
)


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted sound: `times` are its repeats after `start_s`; `source` a file or a sentence."""

    start_s: float
    length_s: float
    label: str
    source: str
    level_db: float
    times: tuple[float, ...] = (0.0,)
    voice: str = ""


THRICE = (0.0, 0.5, 1.0)
# The test split has more CC0 sounds than these. Which were planted was chosen by what the network
# can name, one kind that it often misses among them: the clip shows, the card measures.
PLAN = (
    Plant(0.90, 1.6, "speech", "Please keep the gate closed.", -20, voice="en-gb"),
    Plant(3.30, 1.8, "impact", "perc_impact1", -18, times=THRICE),
    Plant(6.10, 1.3, "alarm", "elec_ping", -19, times=THRICE),
    Plant(8.30, 1.4, "speech", "Where did you park the car?", -21, voice="en-us"),
    Plant(10.60, 1.3, "impact", "tabla_re", -19, times=THRICE),
    Plant(12.90, 1.8, "music", "ambi_piano", -19, times=THRICE),
    Plant(15.70, 1.3, "speech", "Mind the step on the left.", -20, voice="en-gb"),
    Plant(17.90, 1.5, "animal", "misc_crow", -19, times=THRICE),
    Plant(20.20, 1.4, "impact", "elec_snare", -20, times=THRICE),
    Plant(22.40, 1.3, "alarm", "elec_ping", -22, times=THRICE),
    Plant(24.60, 1.6, "speech", "The bus is late again today.", -22, voice="en-us"),
    Plant(26.90, 0.9, "impact", "loop_industrial", -19),
    Plant(28.40, 1.3, "speech", "See you tomorrow at seven.", -19, voice="en-gb-scotland"),
)


def spoken(sentence: str, voice: str, folder: Path) -> Samples:
    """The sentence as espeak-ng says it, without the silence around it."""
    path = folder / "spoken.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-s", "170", "-w", str(path), sentence], check=True)
    samples = read_mono(str(path), RATE)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1]]


def recording(plant: Plant, folder: Path) -> Samples:
    """The recording that a plan names; AssertionError unless the recipe's test split holds it."""
    tested = split(find({"sonic-pi-samples": folder}, "street"))["test"]
    mine = [sound for sound in tested if Path(sound.path).stem == plant.source]
    assert mine, f"{plant.source} is not in the test split"
    assert mine[0].label == plant.label, f"{plant.source} is {mine[0].label}, not {plant.label}"
    samples = read_mono(str(folder / mine[0].path), RATE)
    return samples[np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())[0] :]


def laid_out(plant: Plant, samples: Samples) -> NDArray[np.float64]:
    """The sound at its level, with its repeats, cut to its length and faded out."""
    length = round(plant.length_s * RATE)
    out = np.zeros(length)
    for time_s in plant.times:
        at = round(time_s * RATE)
        part = samples[: length - at]
        out[at : at + len(part)] += part
    fade = round(0.05 * RATE)
    out[length - fade :] *= np.linspace(1, 0, fade)
    power = np.square(out)
    level = np.sqrt(power[power > power.mean() / 4].mean())
    return out * 10 ** (plant.level_db / 20) / level


def soundtrack(sounds: Path, folder: Path) -> NDArray[np.float64]:
    """The whole soundtrack, mono, in [-1, 1]."""
    mix = synthetic_bed(round(SECONDS * RATE), RATE, np.random.default_rng(20)).astype(np.float64)
    mix *= 10 ** (BED_DB / 20) / mix.std()
    for plant in PLAN:
        is_speech = plant.label == "speech"
        source = (
            spoken(plant.source, plant.voice, folder) if is_speech else recording(plant, sounds)
        )
        samples = laid_out(plant, source)
        at = round(plant.start_s * RATE)
        mix[at : at + len(samples)] += samples
    assert np.abs(mix).max() < 1, f"the mix clips at {np.abs(mix).max():.2f}"
    return mix


def truth() -> dict[str, object]:
    """What street.truth.json says."""
    sounds = [
        {
            "start_s": plant.start_s,
            "end_s": round(plant.start_s + plant.length_s, 2),
            "label": plant.label,
            "source": f"espeak-ng, voice {plant.voice}: {plant.source}"
            if plant.label == "speech"
            else f"sonic-pi-samples/{plant.source}.flac",
            "licence": "CC0",
        }
        for plant in PLAN
    ]
    pictures = f"opencv-doc/vtest.avi, frames {FIRST_FRAME} to {FIRST_FRAME + FRAMES - 1}"
    return {"pictures": pictures, "seconds": SECONDS, "sounds": sounds}


def write_wave(path: Path, mix: NDArray[np.float64]) -> None:
    """Writes the soundtrack as 16-bit mono."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((mix * 32767).astype("<i2").tobytes())


def main() -> None:
    """Makes the clip and its truth beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="given", type=Path, help="a folder with the packages")
    given = parser.parse_args().given
    samples = next(package for package in PACKAGES if package.name == "sonic-pi-samples")
    sounds, pictures = fetch(samples, given), fetch(PICTURES, given)
    film = next(pictures.rglob("vtest.avi"))
    with tempfile.TemporaryDirectory() as name:
        wav = Path(name) / "street.wav"
        write_wave(wav, soundtrack(sounds, Path(name)))
        rate = Fraction(FRAMES_PER_S)
        clip = HERE / "street.mp4"
        with (
            Decoder(str(film), media={"video"}) as decoder,
            Encoder(clip, 768, 576, rate, str(wav), preset="slow", crf=27) as encoder,
        ):
            for item in decoder.items():
                if isinstance(item, Frame) and 0 <= item.index - FIRST_FRAME < FRAMES:
                    shown = Fraction(item.index - FIRST_FRAME, FRAMES_PER_S)
                    encoder.write(item.pixels.rgb(768, 576), shown)
    text = json.dumps(truth(), indent=2) + "\n"
    (HERE / "street.truth.json").write_text(text, encoding="utf-8")
    print(f"{clip}: {clip.stat().st_size} bytes, {len(PLAN)} planted sounds")


if __name__ == "__main__":
    main()
