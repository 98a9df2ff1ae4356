"""The one place that writes media: H.264 and AAC in MP4 that a browser plays and can seek in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from pipeline.errors import OutputError, WitnessError
from pipeline.media.soundtrack import Soundtrack
from pipeline.whole import output_error, whole_file

TIME_BASE = Fraction(1, 90_000)
_BT709 = 1
_LIMITED_RANGE = 1


class Encoder:
    """Writes RGB pictures at exact times, with the sound of the source they came from.

    Use it as a context manager: the file appears, whole, when the block ends, and not at all when
    the block raises. Odd sizes lose their last row or column, as yuv420p knows even sizes only.
    `rate` is what the header will claim and how long the last picture is shown; the times are
    those given to `write`, exact where `time_base` can hold them. Sound is encoded anew, gaps in
    it become silence; a source without sound gives a file without. Raises OutputError for a full
    disk or a folder that cannot be written.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        rate: Fraction,
        audio_from: str | None = None,
        *,
        time_base: Fraction = TIME_BASE,
        preset: str = "veryfast",
        crf: int = 23,
    ) -> None:
        if min(width, height) < 2 or rate <= 0:
            message = f"cannot encode {width}x{height} px at {rate} frames a second"
            raise ValueError(message)
        self.path = Path(path)
        self._size = (width, height)
        self._rate = rate
        self._audio_from = audio_from
        self._time_base = time_base
        self._options = {"preset": preset, "crf": str(crf)}
        self._exit = ExitStack()
        self._last_pts: int | None = None
        self._sound: Soundtrack | None = None
        self._audio: AudioStream | None = None

    def __enter__(self) -> Self:
        """Opens the file; raises OutputError when that fails, SourceError for `audio_from`."""
        with ExitStack() as undo:
            if self._audio_from is not None:
                self._sound = undo.enter_context(Soundtrack(self._audio_from))
            part = undo.enter_context(whole_file(self.path))
            undo.enter_context(_telling(self.path))
            self._open(part, undo)
            self._exit = undo.pop_all()
        return self

    def _open(self, part: Path, undo: ExitStack) -> None:
        self._container = undo.enter_context(
            av.open(part, "w", format="mp4", container_options={"movflags": "+faststart"})
        )
        stream = self._container.add_stream("libx264", rate=self._rate, options=self._options)
        stream.width, stream.height = (length // 2 * 2 for length in self._size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = self._time_base
        # Players guess at untagged colours, each in its own way.
        stream.codec_context.colorspace = _BT709
        stream.codec_context.color_primaries = _BT709
        stream.codec_context.color_trc = _BT709
        stream.codec_context.color_range = _LIMITED_RANGE
        self._video = stream
        if self._sound is not None and self._sound.sample_rate:
            audio = self._container.add_stream(
                "aac", rate=self._sound.sample_rate, layout=self._sound.layout, format="fltp"
            )
            audio.codec_context.time_base = Fraction(1, self._sound.sample_rate)
            self._audio = audio

    def write(self, rgb: NDArray[np.uint8], pts: Fraction) -> None:
        """Adds a picture (height, width, 3) that is shown from `pts`, in seconds of media time.

        Pictures come in order of their times; raises ValueError for one of another size or order.
        """
        width, height = self._size
        if rgb.shape != (height, width, 3):
            message = f"a picture of shape {rgb.shape} does not fit a film of {width}x{height} px"
            raise ValueError(message)
        ticks = round(pts / self._time_base)
        if self._last_pts is not None and ticks <= self._last_pts:
            message = f"pictures come in order: {pts} s is not after the one before"
            raise ValueError(message)
        self._last_pts = ticks
        with _telling(self.path):
            self._write_sound(pts)
            self._write_picture(rgb, ticks)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the file and gives it its name; removes it when the block has raised."""
        if error is not None or self._last_pts is None:
            # The block's own error goes on its way; nothing that closing says may hide it.
            with suppress(_Abandoned, OutputError):
                self._exit.__exit__(_Abandoned, _Abandoned(), None)
            if error is None:
                message = f"{self.path}: not written, for it was given no picture"
                raise OutputError(message)
            return
        with self._exit, _telling(self.path):
            self._write_sound(None)
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                self._container.mux(self._audio.encode(None))

    def _write_picture(self, rgb: NDArray[np.uint8], ticks: int) -> None:
        width, height = self._size
        even = np.ascontiguousarray(rgb[: height // 2 * 2, : width // 2 * 2])
        frame = VideoFrame.from_ndarray(even, "rgb24").reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            src_color_range="JPEG",
            dst_color_range="MPEG",
            threads=1,
        )
        frame.pts, frame.time_base = ticks, self._time_base
        frame.duration = round(1 / self._rate / self._time_base)
        self._container.mux(self._video.encode(frame))

    def _write_sound(self, until: Fraction | None) -> None:
        if self._sound is not None and self._audio is not None:
            for frame in self._sound.until(until):
                self._container.mux(self._audio.encode(frame))


class _Abandoned(Exception):  # noqa: N818
    """Tells the parts of an encoder that the file is not wanted."""


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turns FFmpeg's errors into OutputError; those of the sound's source pass as they are."""
    try:
        yield
    except WitnessError:
        raise
    except av.FFmpegError as error:
        raise output_error(path, OSError(error.errno, error.strerror)) from error
