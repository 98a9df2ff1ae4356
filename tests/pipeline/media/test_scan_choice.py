"""The scan that a stream gets when nobody chooses, and why."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.errors import SourceMissing
from pipeline.media.scan_choice import ScanFacts, choose_scan, probe_gops
from tests.clips import Picture, Recipe, Sound, make

USUAL = ScanFacts("h264", 0.9, 25.0, 64, 50, 50)


@pytest.mark.parametrize(
    ("facts", "rates", "kind", "why"),
    [
        (USUAL, [5.0, 10.0], "packets", "h264, a key frame every 2 s"),
        (USUAL, [0.5], "keyframes", "as often as the lanes want"),
        (USUAL, [], "off", "no lane watches"),
        (None, [5.0], "off", "no lane watches"),
        (replace(USUAL, gops=0), [5.0], "off", "no whole group"),
        (
            replace(USUAL, codec="mjpeg", gop_frames=1, longest_frames=1),
            [5.0],
            "off",
            "mjpeg: every",
        ),
        (replace(USUAL, odd="a constant bit rate"), [5.0], "off", "a constant bit rate"),
        (replace(USUAL, longest_frames=2500), [5.0], "off", "up to 100 s apart"),
    ],
)
def test_what_is_chosen_and_why(
    facts: ScanFacts | None, rates: list[float], kind: str, why: str
) -> None:
    choice = choose_scan(facts, rates)
    assert choice.kind == kind
    assert why in choice.why
    assert "\n" not in choice.why
    assert (choice.gain > 1) == (kind != "off")


def test_tiny_pictures_without_much_of_a_network_are_simply_decoded() -> None:
    tiny = replace(USUAL, megapixels=0.01, rate_hz=5.0, gop_frames=10, longest_frames=10)
    assert choose_scan(tiny, [5.0], network_s=0).kind == "off"
    assert choose_scan(tiny, [5.0], network_s=0.1).kind == "packets"


def test_what_packets_tell(clips: Path) -> None:
    facts = probe_gops(str(make(clips, Recipe("ts", Picture(b_frames=2)))))
    assert facts == ScanFacts("h264", 96 * 64 / 1e6, 25.0, 5, 10, 10)
    assert facts.gop_s == pytest.approx(0.4)
    alone = Picture(codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 25))
    single = probe_gops(str(make(clips, Recipe("mov", alone, None))))
    assert single is not None
    assert (single.gop_frames, single.longest_frames) == (1, 1)
    assert probe_gops(str(make(clips, Recipe("wav", None, Sound("pcm_s16le"))))) is None


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        probe_gops(str(tmp_path / "nothing.mp4"))
