"""What FFmpeg is said to do is what it does."""

from __future__ import annotations

from pipeline.media.capabilities import capabilities


def test_codecs_that_the_outputs_need_are_there() -> None:
    able = capabilities(("h264", "aac"), ("libx264", "aac"))
    assert able.missing == ()
    assert able.ffmpeg
    assert able.pyav


def test_what_is_missing_is_named_with_its_direction() -> None:
    able = capabilities(("h264", "no_such_codec"), ("no_such_codec",))
    assert able.missing == ("no_such_codec decoder", "no_such_codec encoder")
