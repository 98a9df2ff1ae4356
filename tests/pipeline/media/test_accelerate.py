"""A device that cannot be used, or that nobody knows: the processor decodes the same pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from av.codec.hwaccel import HWAccel, hwdevices_available
from numpy.typing import NDArray

from pipeline.media.accelerate import accelerator
from pipeline.media.address import LiveAddress, plan_of
from pipeline.media.decode import Decoder
from pipeline.media.live import LiveSource
from pipeline.media.opening import opened
from pipeline.records import Frame, Item
from tests.clips import Recipe, make

UNKNOWN = ("cuad", "none", "nonsense")


def addressed(clips: Path, hwaccel: str | None) -> LiveAddress:
    return LiveAddress("file", str(make(clips, Recipe())), hwaccel=hwaccel)


def pictures(items: Iterable[Item]) -> list[NDArray[np.uint8]]:
    frames = [item for item in items if isinstance(item, Frame)]
    return [frame.pixels.rgb(frame.pixels.width, frame.pixels.height) for frame in frames]


def decoded(clips: Path, hwaccel: str | None) -> list[NDArray[np.uint8]]:
    with Decoder(plan_of(addressed(clips, hwaccel))) as decoder:
        return pictures(decoder.items())


def live(clips: Path, hwaccel: str | None) -> list[NDArray[np.uint8]]:
    source = LiveSource(addressed(clips, hwaccel), "a", ("video",))
    items = source.items()
    first = next(items)
    # As it stands in the stream's status and log.
    assert source.pulse.state == "playing"
    assert source.pulse.reason == accelerator(hwaccel)[1]
    return pictures([first, *items])


def test_without_a_name_there_is_nothing_to_tell() -> None:
    assert accelerator(None) == (None, "")


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_name_that_ffmpeg_does_not_know_is_no_other_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine where every device works: an unknown name must not get one of them.
    monkeypatch.setattr("pipeline.media.accelerate.HWAccel", _Working)
    hardware, note = accelerator(name)
    assert hardware is None
    assert note == f"{name}: no such device can be used here; the processor decodes"


@pytest.mark.parametrize("name", [*hwdevices_available(), "vaapi", *UNKNOWN])
def test_each_device_is_used_or_told_once(clips: Path, name: str) -> None:
    hardware, note = accelerator(name)
    assert isinstance(hardware, HWAccel) == (note == "")
    with opened(plan_of(addressed(clips, name))) as source:
        assert source.note == note
    assert note.count(name) == (0 if hardware else 1)


@pytest.mark.parametrize("way", [decoded, live])
def test_a_device_that_is_not_there_changes_no_bit(
    clips: Path, way: Callable[[Path, str | None], list[NDArray[np.uint8]]]
) -> None:
    plain, asked = (way(clips, name) for name in (None, "vaapi"))
    assert plain and len(plain) == len(asked)
    assert all(np.array_equal(a, b) for a, b in zip(plain, asked, strict=True))


class _Working:
    def __init__(self, *_: object, **__: object) -> None:
        pass

    def create(self, _: object) -> None:
        pass
