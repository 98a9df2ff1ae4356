"""Playlists and streams of HTTP from real servers, good ones and hostile ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from pipeline.errors import SourceError, SourceForbidden, SourceUnreadable
from pipeline.media.address import LiveAddress, plan_of
from pipeline.media.kinds import Kind
from pipeline.media.opening import opened
from pipeline.media.parts import ASK_AGAIN_S
from tests.clips import Recipe, make
from tests.web_server import OTHER_HOST, Answer, Route, ThisHostOnly, WebServer

KEY = bytes(range(16))
HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
END = "#EXT-X-ENDLIST\n"


def playlist(*segments: str, before: str = "", end: str = END) -> Answer:
    lines = "".join(f"#EXTINF:2.0,\n{segment}\n" for segment in segments)
    return Answer(f"{HEAD}{before}{lines}{end}".encode())


def sealed(body: bytes, number: int) -> bytes:
    """The body under AES-128, with the segment's number as its vector."""
    padder = PKCS7(128).padder()
    lock = Cipher(algorithms.AES(KEY), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    return lock.update(padder.update(body) + padder.finalize()) + lock.finalize()


def packets(server: WebServer, path: str = "/live.m3u8", kind: Kind = "hls") -> int:
    """How many packets come, to the end."""
    address = LiveAddress(
        kind, server.url(path), open_timeout_s=2, read_timeout_s=2, stall_s=2, allow=ThisHostOnly()
    )
    with opened(plan_of(address)) as source:
        return sum(bool(packet.size) for packet in source.container.demux())


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("segments"), Recipe("ts")).read_bytes()


def served(segment: bytes, **routes: Route) -> WebServer:
    named = {f"/{name.replace('_', '.')}": route for name, route in routes.items()}
    return WebServer({"/a.ts": Answer(segment), "/b.ts": Answer(segment), **named})


def test_a_playlist_is_played_to_its_end(segment: bytes) -> None:
    with served(segment, live_m3u8=playlist("a.ts")).serving() as server:
        alone = packets(server)
        server.routes["/live.m3u8"] = playlist("a.ts", "b.ts")
        assert packets(server) == 2 * alone > 100


def test_a_list_of_lists_and_ranges_of_one_file(segment: bytes) -> None:
    def cut(headers: Mapping[str, str]) -> Answer:
        first, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
        return Answer((segment + segment)[first : last + 1], 206)

    lists = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000\nmedia.m3u8\n"
    size = len(segment)
    lines = f"#EXT-X-BYTERANGE:{size}@0\n#EXTINF:2,\nall.ts\n#EXT-X-BYTERANGE:{size}@{size}\n"
    media = Answer(f"{HEAD}{lines}#EXTINF:2,\nall.ts\n{END}".encode())
    with served(
        segment, live_m3u8=Answer(lists), media_m3u8=media, all_ts=cut, one_m3u8=playlist("a.ts")
    ).serving() as server:
        assert packets(server) == 2 * packets(server, "/one.m3u8")


def test_encrypted_segments(segment: bytes) -> None:
    before = '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n'
    with served(
        segment,
        live_m3u8=playlist("0.ts", "1.ts", before=before),
        one_m3u8=playlist("a.ts"),
        key_bin=Answer(KEY),
    ).serving() as server:
        server.routes |= {f"/{n}.ts": Answer(sealed(segment, n)) for n in (0, 1)}
        assert packets(server) == 2 * packets(server, "/one.m3u8")


@pytest.mark.parametrize(
    "make_list",
    [
        lambda inner, local: playlist("a.ts", inner("/b.ts")),
        lambda inner, local: playlist(inner("/b.ts")),
        lambda inner, local: playlist(
            "a.ts", before=f'#EXT-X-KEY:METHOD=AES-128,URI="{inner("/k")}"\n'
        ),
        lambda inner, local: playlist("a.ts", before=f'#EXT-X-MAP:URI="{inner("/b.ts")}"\n'),
        lambda inner, local: Answer(
            f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{inner('/live.m3u8')}\n".encode()
        ),
    ],
    ids=["second segment", "first segment", "key", "map", "list of lists"],
)
def test_no_part_of_a_playlist_leads_to_another_host(
    segment: bytes, make_list: Callable[..., Answer]
) -> None:
    with served(segment).serving() as inner:
        answer = make_list(lambda path: inner.url(path, OTHER_HOST), None)
        with served(segment, live_m3u8=answer).serving() as server:
            with pytest.raises(SourceForbidden, match="loopback addresses are not allowed here"):
                packets(server)
            assert inner.asked == []


def test_no_part_of_a_playlist_is_sent_on_to_another_host(segment: bytes) -> None:
    with served(segment).serving() as inner, served(segment).serving() as server:
        server.routes["/live.m3u8"] = playlist("a.ts", "there.ts")
        there = {"Location": inner.url("/b.ts", OTHER_HOST)}
        server.routes["/there.ts"] = Answer(status=302, headers=there)
        with pytest.raises(SourceForbidden, match="loopback"):
            packets(server)
        assert inner.asked == []


@pytest.mark.parametrize(
    "form",
    [
        "{path}",
        "file://{path}",
        "file:{path}",
        "concat:{path}|{path}",
        "subfile,,start,0,end,0,,:{path}",
        "crypto+file://{path}",
        "data:text/plain,a",
        "lavfi:testsrc",
        "pipe:0",
        "ftp://h{path}",
    ],
)
def test_no_part_of_a_playlist_is_read_from_this_machine(
    segment: bytes, tmp_path: Path, form: str
) -> None:
    local = tmp_path / "b.ts"
    local.write_bytes(segment)
    with served(segment).serving() as server:
        server.routes["/one.m3u8"] = playlist("a.ts")
        alone = packets(server, "/one.m3u8")
        server.routes["/live.m3u8"] = playlist("a.ts", form.format(path=local))
        try:
            assert packets(server) <= alone
        except SourceError as error:
            assert segment[:20] not in str(error).encode()


def test_a_segment_that_is_a_list_of_files_is_not_followed(segment: bytes, tmp_path: Path) -> None:
    local = tmp_path / "b.ts"
    local.write_bytes(segment)
    for body in (f"ffconcat version 1.0\nfile {local}\n", f"{HEAD}#EXTINF:2,\n{local}\n{END}"):
        with (
            served(
                segment, live_m3u8=playlist("c.ts"), c_ts=Answer(body.encode())
            ).serving() as one,
            pytest.raises(SourceError),
        ):
            packets(one)


def test_a_body_that_is_a_list_is_not_followed(segment: bytes, tmp_path: Path) -> None:
    local = tmp_path / "b.ts"
    local.write_bytes(segment)
    bodies = [f"ffconcat version 1.0\nfile {local}\n", f"{HEAD}#EXTINF:2,\nfile://{local}\n{END}"]
    for body in bodies:
        with (
            served(segment, film=Answer(body.encode())).serving() as server,
            pytest.raises(SourceUnreadable),
        ):
            packets(server, "/film", "http")
    typed = Answer(playlist("a.ts").body, headers={"Content-Type": "application/vnd.apple.mpegurl"})
    with (
        served(segment, film=typed).serving() as server,
        pytest.raises(SourceUnreadable, match="say `kind: hls`"),
    ):
        packets(server, "/film", "http")


def test_a_segment_that_fails_is_asked_for_again(segment: bytes) -> None:
    times: list[float] = []

    def ill(_headers: Mapping[str, str]) -> Answer:
        times.append(time.monotonic())
        return Answer(segment) if len(times) > 2 else Answer(status=503)

    with served(segment, c_ts=ill, one_m3u8=playlist("a.ts")).serving() as server:
        server.routes["/live.m3u8"] = playlist("a.ts", "c.ts")
        assert packets(server) == 2 * packets(server, "/one.m3u8")
    assert len(times) == 3 and times[2] - times[0] > ASK_AGAIN_S


def test_a_segment_that_breaks_off_is_asked_for_again(segment: bytes) -> None:
    answers = [Answer(segment[:9999], length=len(segment)), Answer(segment)]
    with served(segment, c_ts=lambda _: answers.pop(0)).serving() as server:
        server.routes["/one.m3u8"] = playlist("a.ts")
        server.routes["/live.m3u8"] = playlist("a.ts", "c.ts")
        assert packets(server) == 2 * packets(server, "/one.m3u8")


def test_a_segment_that_never_comes_is_left_out(segment: bytes) -> None:
    with served(segment, one_m3u8=playlist("a.ts", "b.ts")).serving() as server:
        server.routes["/live.m3u8"] = playlist("a.ts", "none.ts", "b.ts")
        assert packets(server) == packets(server, "/one.m3u8")


def test_a_list_that_goes_away_ends_the_stream(segment: bytes) -> None:
    lists = [playlist("a.ts", "b.ts", end="")]

    def live(_headers: Mapping[str, str]) -> Answer:
        return lists.pop() if lists else Answer(status=404)

    with served(segment, live_m3u8=live).serving() as server:
        with pytest.raises(SourceError, match="nothing is there"):
            packets(server)
        assert server.asked.count("/live.m3u8") > 2


def test_one_long_file_with_its_index_at_the_end(clips: Path) -> None:
    body = make(clips, Recipe("mp4")).read_bytes()

    def film(headers: Mapping[str, str]) -> Answer:
        place = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        part = {"Accept-Ranges": "bytes"}
        return Answer(body[place:], 206 if "Range" in headers else 200, part)

    with WebServer({"/film.mp4": film}).serving() as server:
        assert packets(server, "/film.mp4", "http") > 100
        assert server.asked.count("/film.mp4") > 1


def test_a_long_file_of_which_no_parts_are_given(segment: bytes) -> None:
    with served(segment).serving() as server:
        assert packets(server, "/a.ts", "http") > 100


def test_pictures_one_after_the_other(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    shots = []
    for number in range(12):
        done, jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), number * 20, np.uint8))
        assert done
        head = f"--edge\r\nContent-Type: image/jpeg\r\nContent-Length: {jpeg.size}\r\n\r\n"
        shots.append(head.encode() + jpeg.tobytes() + b"\r\n")
    answer = Answer(
        b"".join(shots), headers={"Content-Type": "multipart/x-mixed-replace; boundary=edge"}
    )
    with WebServer({"/video": answer}).serving() as server:
        for kind in ("http", "mjpeg"):
            assert packets(server, "/video", kind) == 12  # type: ignore[arg-type]


def test_a_body_that_stops_coming_is_lost(segment: bytes) -> None:
    answer = Answer(segment[: len(segment) // 2], length=len(segment))
    with served(segment, half_ts=answer).serving() as server:
        half = packets(server, "/half.ts", "http")
        assert 20 < half < packets(server, "/a.ts", "http")


def test_a_server_that_falls_silent_is_lost_in_time(segment: bytes) -> None:
    import threading

    gate = threading.Event()

    def silent(_headers: Mapping[str, str]) -> Answer:
        gate.wait(5)
        return Answer(segment)

    with served(segment, slow_ts=silent).serving() as server:
        started = time.monotonic()
        address = LiveAddress("http", server.url("/slow.ts"), read_timeout_s=0.3)
        with pytest.raises(SourceError, match="no answer in time"), opened(plan_of(address)):
            pass
        assert time.monotonic() - started < 2
        gate.set()
