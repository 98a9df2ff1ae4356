from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.live import barcode, footage
from tests.live.conftest import Footage
from tests.live.footage import Clip, Clock, picture, texture

SMALL = Clip(seconds=2, size=(320, 180))


def drawn(number: int, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    gray = np.full((size[1], size[0]), 128, np.uint8)
    barcode.draw(number, gray)
    return gray


@given(st.integers(0, barcode.NUMBERS - 1), st.sampled_from([(160, 96), (320, 180), (640, 360)]))
def test_every_number_is_read_at_every_size(number: int, size: tuple[int, int]) -> None:
    assert barcode.frame_number(drawn(number, size)) == number
    assert barcode.is_whole(np.repeat(drawn(number, size)[:, :, None], 3, axis=2))


@given(st.integers(0, 65_534), st.integers(1, 179))
def test_a_frame_made_of_two_is_no_frame(number: int, seam: int) -> None:
    torn = drawn(number)
    torn[seam:] = drawn(number + 1)[seam:]
    assert barcode.frame_number(torn) in (None, number, number + 1)
    # Between the strips a seam cannot be seen by the outer two alone: they contradict each other.
    if 22 <= seam <= 157:
        assert barcode.frame_number(torn) is None


@given(st.integers(0, barcode.NUMBERS - 1), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_damage_never_reads_as_another_number(number: int, seed: int, blocks: int) -> None:
    random = np.random.default_rng(seed)
    gray = drawn(number)
    for _ in range(blocks):
        y, x = random.integers(0, 164), random.integers(0, 304)
        gray[y : y + 16, x : x + 16] = random.integers(0, 256)
    assert barcode.frame_number(gray) in (None, number)


@given(st.integers(0, barcode.NUMBERS - 1), st.integers(0, 2**32 - 1))
def test_noise_and_one_lost_strip_are_forgiven(number: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    noisy = drawn(number) + random.normal(0, 15, (180, 320))
    noisy[: 180 // 6] = 128
    assert barcode.frame_number(noisy.clip(0, 255).astype(np.uint8)) == number


@given(st.integers(0, barcode.NUMBERS - 2))
def test_about_half_of_the_cells_turn_from_frame_to_frame(number: int) -> None:
    turned = (drawn(number)[90] != drawn(number + 1)[90]).mean()
    assert 0.1 < turned < 0.9


def test_a_grey_picture_and_noise_have_no_number() -> None:
    assert barcode.frame_number(np.full((180, 320), 128, np.uint8)) is None
    assert barcode.frame_number(np.zeros((180, 320), np.uint8)) is None
    assert barcode.frame_number(texture(SMALL)[:180, :320]) is None
    assert barcode.frame_number(picture(SMALL, 7, texture(SMALL))) == 7


@pytest.mark.parametrize("rate", [8000, 16_000, 48_000])
@pytest.mark.parametrize("first", [0, 60])
def test_tones_tell_their_second_and_when_it_began(rate: int, first: int) -> None:
    onsets = barcode.tone_onsets(barcode.tones(8, rate, first), rate)
    assert [second for _, second in onsets] == [(first + i) % 64 for i in range(8)]
    assert max(abs(time - place) for place, (time, _) in enumerate(onsets)) < 0.002


@pytest.mark.parametrize(
    ("clip", "late_s"),
    [
        (SMALL, 0.002),
        (Clip(seconds=2, sound="pcm_mulaw", ending="mov"), 0.002),
        (Clip(seconds=2, sound="libopus"), 0.002),
        # MPEG-TS has no field for a coder's delay: 481 samples of mp2 are heard.
        (Clip(seconds=2, sound="mp2", ending="ts"), 0.012),
        (Clip(seconds=2, video="mjpeg", ending="mkv"), 0.002),
    ],
    ids=["aac", "mulaw", "opus", "mp2-ts", "mjpeg"],
)
def test_coded_clips_tell_what_was_put_in(
    shoot: Callable[[Clip], Footage], media: Path, clip: Clip, late_s: float
) -> None:
    with av.open(footage.make(media, clip)) as container:
        frames = [one.to_ndarray(format="gray") for one in container.decode(video=0)]
    assert [barcode.frame_number(one) for one in frames] == list(range(clip.frames))
    with av.open(footage.make(media, clip)) as container:
        rate = container.streams.audio[0].rate
        resampler = av.AudioResampler("flt", "mono", rate)
        sounds = list(container.decode(audio=0))
        start = float(sounds[0].time)
        pieces = [out.to_ndarray()[0] for one in sounds for out in resampler.resample(one)]
    onsets = barcode.tone_onsets(np.concatenate(pieces), rate)
    assert [second for _, second in onsets] == [0, 1]
    assert all(abs(start + time - second) < late_s for time, second in onsets)


@given(
    st.floats(0, 1e5, allow_subnormal=False),
    st.sampled_from([Clip(), Clip(seconds=8, rate=10, first_number=300)]),
)
def test_the_clock_knows_the_round_of_a_number(since: float, clip: Clip) -> None:
    clock = Clock(clip, 1.8e9)
    counted = clock.number_at(1.8e9 + since)
    shown = clip.first_number + counted % clip.frames
    for late in (0.0, 0.4 * clip.seconds):
        assert clock.unwrap(shown, 1.8e9 + since + late) == counted
    second = int(since)
    assert clock.unwrap_second(second % clip.seconds % 64, 1.8e9 + since + 0.5) == second
