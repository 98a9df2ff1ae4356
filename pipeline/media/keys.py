"""How far a file's key frames lie apart, as its own index tells: what a seek may cost."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import av

from pipeline.media.opening import exact, opened


def longest_group(source: str, length: Fraction) -> Fraction | None:
    """Seconds between the two key frames that lie furthest apart; None for a file without index.

    `length` is how long the file says it is, in seconds. Raises SourceError as opening does.
    """
    with opened(source) as source_opened:
        video = source_opened.video
        if video is None:
            return None
        base = exact(video.time_base)
        # Matroska's index lies at the end of the file, and is read when it is needed.
        with suppress(av.FFmpegError):
            source_opened.container.seek(int(length / 2 / base), stream=video)
        keys = [entry.timestamp for entry in video.index_entries if entry.is_keyframe]
        if not keys:
            return None
        ends = [*keys[1:], keys[0] + int(length / base)]
        return max(end - key for key, end in zip(keys, ends, strict=True)) * base
