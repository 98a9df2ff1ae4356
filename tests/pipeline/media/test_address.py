import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceForbidden, SourceUnreadable
from pipeline.media.address import LiveAddress, plan_of
from pipeline.media.credentials import Credentials
from pipeline.media.kinds import Kind, kind_of
from pipeline.media.policy import STRICT

HOST = "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://cam/main", "rtsp"),
        ("rtsps://cam/main", "rtsp"),
        ("rtmps://server/live/yard", "rtmp"),
        ("https://server/yard/live.m3u8?x=1", "hls"),
        ("http://cam/video.mjpg", "http"),
        ("udp://239.1.2.3:5000", "mpegts"),
        ("tcp://encoder:9000", "mpegts"),
        ("yard.sdp", "sdp"),
        ("file:yard.sdp", "sdp"),
        ("/dev/video0", "device"),
        ("yard.mp4", "file"),
        ("file:///srv/yard.mp4", "file"),
    ],
)
def test_the_kind_is_seen_from_the_url(url: str, kind: Kind) -> None:
    assert kind_of(url) == kind


def test_a_folder_and_a_file_with_a_colon_in_its_name(tmp_path: Path) -> None:
    assert kind_of(str(tmp_path)) == "folder"
    odd = tmp_path / "subfile:x"
    odd.touch()
    assert kind_of(str(odd)) == "file"


@pytest.mark.parametrize(
    "url",
    [
        "concat:a.mp4|b.mp4",
        "subfile,,start,0,end,9,,:/etc/passwd",
        "lavfi:testsrc",
        "data:text/plain;base64,AAAA",
        "pipe:0",
        "crypto:file:/etc/passwd",
        "cache:http://host/a",
        "async:file:/etc/passwd",
        "ftp://host/a",
        "gopher://host/a",
        "rtp://239.1.2.3:5000",
        "srt://host:9000",
        "hls+http://host/a.m3u8",
    ],
)
def test_no_other_scheme_is_opened(url: str) -> None:
    scheme_like = url.startswith("subfile")
    if not scheme_like:
        with pytest.raises(SourceForbidden, match="addresses are not opened"):
            kind_of(url)
    for kind in ("http", "hls", "rtsp", "mpegts"):
        with pytest.raises(SourceForbidden):
            plan_of(LiveAddress(kind, url))


def test_a_path_is_opened_as_a_file_whatever_it_looks_like() -> None:
    plan = plan_of(LiveAddress("file", "subfile,,start,0,end,9,,:/etc/passwd"))
    assert (plan.protocols, plan.url) == ("file", "subfile,,start,0,end,9,,:/etc/passwd")


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("rtsp", "http://cam/main"),
        ("http", "rtsp://cam/main"),
        ("hls", "/srv/live.m3u8"),
        ("hls", "file:///srv/live.m3u8"),
        ("http", "yard.mp4"),
        ("file", "http://cam/main"),
        ("folder", "rtsp://cam/main"),
    ],
)
def test_a_kind_is_not_opened_as_another(kind: Kind, url: str) -> None:
    with pytest.raises(SourceForbidden):
        plan_of(LiveAddress(kind, url))


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("rtsp", "rtsp://127.0.0.1/a"),
        ("rtmp", "rtmp://localhost/a/b"),
        ("mpegts", "tcp://[::1]:99"),
        ("hls", "http://169.254.169.254/latest.m3u8"),
        ("http", "http://10.0.0.4/a"),
        ("mpegts", "udp://239.1.2.3:5000"),
    ],
)
def test_the_policy_is_asked_at_each_connect(kind: Kind, url: str) -> None:
    with pytest.raises(SourceForbidden, match="addresses are not allowed here"):
        plan_of(LiveAddress(kind, url, allow=STRICT))


def test_a_group_described_in_an_sdp_file_is_asked_about_too(tmp_path: Path) -> None:
    path = tmp_path / "yard.sdp"
    path.write_text("v=0\nc=IN IP4 169.254.1.1/8\nm=video 5000 RTP/AVP 96\n")
    with pytest.raises(SourceForbidden, match="link-local"):
        plan_of(LiveAddress("sdp", str(path)))
    path.write_text("v=0\nc=IN IP4 239.1.1.1/8\nm=video 5000 RTP/AVP 96\n")
    plan = plan_of(LiveAddress("sdp", str(path)))
    assert (plan.format, plan.protocols) == ("sdp", "file,rtp,srtp,udp")


def test_no_host_and_no_port() -> None:
    with pytest.raises(SourceUnreadable, match="names no host"):
        plan_of(LiveAddress("rtsp", "rtsp:///main"))
    with pytest.raises(SourceUnreadable, match="does a password stand in the url") as caught:
        plan_of(LiveAddress("rtsp", "rtsp://admin:hun/ter2@cam/main"))
    assert "ter2" not in str(caught.value)
    assert plan_of(LiveAddress("mpegts", "udp://@:5000")).url.startswith("udp://@:5000?")
    assert plan_of(LiveAddress("mpegts", "udp://0.0.0.0:5000")).protocols == "udp,tcp"


secret = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)


@given(user=secret, password=secret)
def test_a_login_travels_in_the_url_alone_and_is_not_shown(user: str, password: str) -> None:
    address = LiveAddress("rtsp", f"rtsp://{HOST}:554/a", credentials=Told(user, password))
    plan = plan_of(address)
    assert plan.url.startswith("rtsp://") and plan.url.endswith(f"@{HOST}:554/a")
    assert plan.url.count("@") == 1 and plan.url.count("/") == 3
    assert plan.shown == address.shown == f"rtsp://{HOST}:554/a"
    assert plan.url not in repr(plan)


class Told(Credentials):
    """Credentials that a test knows."""

    def __init__(self, user: str, password: str) -> None:
        object.__setattr__(self, "told", (user, password))

    __slots__ = ("told",)

    def resolve(self) -> tuple[str, str]:
        return self.told  # type: ignore[no-any-return]


def test_the_web_gets_its_login_apart_from_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YARD_PASSWORD", "hunter2")
    where = Credentials(user="admin", password_env="YARD_PASSWORD")
    address = LiveAddress("http", f"http://{HOST}/a", credentials=where)
    plan = plan_of(address)
    assert plan.web is not None
    assert (plan.url, plan.web.login) == (f"http://{HOST}/a", ("admin", "hunter2"))
    assert "hunter2" not in repr(plan) + repr(address) + str(pickle.dumps(address))


def test_certificates_are_looked_at_unless_told_otherwise(tmp_path: Path) -> None:
    url = f"rtsps://{HOST}/a"
    assert plan_of(LiveAddress("rtsp", url)).options["tls_verify"] == "1"
    assert plan_of(LiveAddress("rtsp", url, ca_file="a.pem")).options["ca_file"] == "a.pem"
    assert plan_of(LiveAddress("rtsp", url, tls_verify=False)).options["tls_verify"] == "0"


def test_the_transport_and_the_interface() -> None:
    def options(transport: str) -> dict[str, str]:
        return plan_of(LiveAddress("rtsp", f"rtsp://{HOST}/a", transport)).options  # type: ignore[arg-type]

    assert options("auto")["rtsp_flags"] == "prefer_tcp"
    assert [options(one)["rtsp_transport"] for one in ("auto", "tcp", "udp")] == [
        "tcp+udp",
        "tcp",
        "udp",
    ]
    group = LiveAddress("mpegts", "udp://239.1.2.3:5000?pkt_size=1316", interface="10.0.0.9")
    assert plan_of(group).url == (
        "udp://239.1.2.3:5000?fifo_size=100000&overrun_nonfatal=1&timeout=5000000"
        "&pkt_size=1316&localaddr=10.0.0.9"
    )


def test_a_file_of_a_folder(tmp_path: Path) -> None:
    part = tmp_path / "0001.ts"
    plan = plan_of(LiveAddress("folder", str(tmp_path)), part)
    assert (plan.url, plan.protocols, plan.timeout_s) == (str(part), "file", None)
