import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.media.pixels import LUMA_FIRST, UPRIGHT, AvPixels, Orientation, halved

TURNED = [
    UPRIGHT,
    Orientation(mirror_x=True, mirror_y=True, degrees=180),
    Orientation(transpose=True, mirror_x=True, degrees=90),
]


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Bright at the top left, dark at the bottom right."""
    down, across = np.mgrid[0:height, 0:width]
    grey = 200 - 70 * down / height - 70 * across / width
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def frame(width: int, height: int, pixel_format: str) -> VideoFrame:
    made = av.VideoFrame.from_ndarray(picture(width, height), "rgb24")
    return made.reformat(format=pixel_format, dst_color_range="JPEG")


@pytest.mark.parametrize("pixel_format", [*sorted(LUMA_FIRST), "yuv420p10le", "rgb24", "bgr0"])
@pytest.mark.parametrize("size", [(64, 48), (97, 65), (33, 7)])
def test_brightness_is_that_of_the_picture(size: tuple[int, int], pixel_format: str) -> None:
    luma = AvPixels(frame(*size, pixel_format)).luma(size[0])
    assert luma.shape == (size[1], size[0])
    wrong = np.abs(luma.astype(int) - picture(*size)[..., 0]) > 3
    # FFmpeg leaves a few pixels of odd sizes to chance when the test makes 10 bits of 8.
    assert wrong.mean() <= (0.002 if pixel_format == "yuv420p10le" else 0)


@pytest.mark.parametrize("orientation", TURNED)
def test_it_is_turned_as_the_picture_is(orientation: Orientation) -> None:
    pixels = AvPixels(frame(64, 48, "yuv420p"), orientation)
    shown = pixels.rgb(pixels.width, pixels.height)[..., 0].astype(int)
    luma = pixels.luma(1_000)
    assert luma.shape == shown.shape
    assert luma.flags.c_contiguous
    assert np.abs(luma - shown).max() <= 3


@pytest.mark.parametrize(
    ("size", "least", "halved_to"),
    [
        ((1920, 1080), 160, (240, 135)),
        ((640, 360), 160, (160, 90)),
        ((319, 241), 160, (319, 241)),
        ((101, 67), 20, (25, 16)),
        ((64, 1), 8, (64, 1)),
    ],
)
def test_it_is_halved_while_enough_is_left(
    size: tuple[int, int], least: int, halved_to: tuple[int, int]
) -> None:
    assert halved(np.zeros(size[::-1], np.uint8), least).shape == halved_to[::-1]


def test_halving_averages() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64)).astype(np.uint8)
    mean = noise.astype(float).reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(halved(noise, 32) - mean).max() <= 0.5
