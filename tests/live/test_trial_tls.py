"""Cameras whose stream is under TLS: who vouches for the certificate decides what plays."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.media.address import LiveAddress
from tests.live.conftest import Footage
from tests.live.servers import RtspServer
from tests.live.watching import Watching
from tests.needs import need_gstreamer_tls
from tests.web_server import certificate

pytestmark = pytest.mark.slow

LEAST_FRAMES = 20


def test_a_certificate_that_is_trusted_or_not_looked_at_plays(
    tmp_path: Path, yard: Footage
) -> None:
    need_gstreamer_tls()
    files = certificate(tmp_path)
    with (
        RtspServer({"/yard": {"feed": yard.feed}}, tls=files) as server,
        Watching(tmp_path / "out") as watching,
    ):
        url = server.url("/yard")
        watching.add("trusted", LiveAddress("rtsp", url, ca_file=str(files[0])))
        watching.add("loose", LiveAddress("rtsp", url, tls_verify=False))
        watching.add("unknown", LiveAddress("rtsp", url))
        names = ("trusted", "loose")
        watching.until(lambda: all(len(watching.of(n).numbers) >= LEAST_FRAMES for n in names))
        watching.until(lambda: "certificate" in watching.status("unknown").reason)
        refused = watching.status("unknown")
        watching.end()
    assert refused.state != "playing"
    assert "tls.ca_file" in refused.reason
    for name in names:
        left = watching.of(name)
        left.check_books()
        numbers = [seen.number for seen in left.numbers]
        assert {(b - a) % yard.clip.frames for a, b in pairwise(numbers)} == {1}, numbers
        assert left.tones
    left = watching.of("unknown")
    assert not left.rows
    left.check_books()
