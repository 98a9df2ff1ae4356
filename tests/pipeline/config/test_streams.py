from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.load import is_fleet, load_config, load_fleet
from pipeline.config.streams import ControlConfig, FleetConfig, StreamConfig
from pipeline.errors import ConfigError
from pipeline.media.credentials import Credentials

ROOT = Path(__file__).parents[3]
GOOD = """\
lanes:
  - kind: instances
  - kind: sound
defaults:
  stall_s: 6
  lanes: [instances]
streams:
  yard:
    url: rtsps://10.0.0.4/main
    credentials: {user: admin, password_env: YARD_PASSWORD}
    tls: {ca_file: yard.pem}
    sampling: {instances: 2}
  gate: rtsp://10.0.0.5/main
  film: {url: film.mp4, realtime: true, loop: true, lanes: [sound], priority: true}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "streams.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_fleet(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def stream(**said: Any) -> StreamConfig:
    return StreamConfig.model_validate({"url": "rtsp://10.0.0.4/main", **said})


def test_a_good_file_is_typed(tmp_path: Path) -> None:
    fleet = load_fleet(write(tmp_path, GOOD))
    streams = fleet.complete_streams()
    assert list(streams) == ["yard", "gate", "film"]
    assert [one.settled_kind for one in streams.values()] == ["rtsp", "rtsp", "file"]
    assert [one.stall_s for one in streams.values()] == [6, 6, 6]
    assert [one.priority for one in streams.values()] == [0, 0, 1]
    assert fleet.outputs == ("jsonl",)


def test_what_a_stream_says_itself_counts_more_than_the_defaults(tmp_path: Path) -> None:
    fleet = load_fleet(write(tmp_path, GOOD))
    streams = fleet.complete_streams()
    lanes = {name: fleet.lanes_of(one) for name, one in streams.items()}
    assert {name: [lane.kind for lane in found] for name, found in lanes.items()} == {
        "yard": ["instances"],
        "gate": ["instances"],
        "film": ["sound"],
    }
    assert [lane.model_dump()["rate_hz"] for lane in (*lanes["yard"], *lanes["gate"])] == [2, 5]


def test_an_address_holds_what_the_file_says_and_no_secret(tmp_path: Path) -> None:
    fleet = load_fleet(write(tmp_path, GOOD))
    streams = fleet.complete_streams()
    yard, film = streams["yard"].address(), streams["film"].address()
    assert (yard.stall_s, yard.tls_verify) == (6, True)
    assert yard.ca_file == str(tmp_path / "yard.pem")
    assert yard.credentials == Credentials(user="admin", password_env="YARD_PASSWORD")
    assert (film.url, film.realtime, film.loop) == (str(tmp_path / "film.mp4"), True, True)
    assert not yard.allow.link_local and yard.allow.private


def test_a_source_that_comes_in_bursts_is_waited_for_longer() -> None:
    assert stream().address().stall_s == 4
    assert stream().address().read_timeout_s == pytest.approx(1.8)
    assert stream(url="http://host/live.m3u8").address().read_timeout_s == 5
    assert stream(read_timeout_s=3).address().read_timeout_s == 3
    assert stream(url="http://host/live.m3u8").address().stall_s == 30
    assert stream(url="http://host/live.m3u8", stall_s=9).address().stall_s == 9


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:hunter2@10.0.0.4/main",
        "rtsp://admin:hun/ter2@10.0.0.4/main",
        "rtsp://admin:hun#ter2@10.0.0.4/main",
        "http://:hunter2@10.0.0.4/main",
        "rtsp://hunter2@10.0.0.4/main",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    (told,) = refused(tmp_path, f"streams:\n  yard:\n    url: {url!r}\n")
    assert told.startswith("3: streams.yard.url: a user name or a password does not belong in")
    assert "credentials: {user: NAME, password_env: VARIABLE}" in told
    assert "ter2" not in told
    with pytest.raises(ValidationError) as caught:
        stream(url=url)
    assert "ter2" not in str(caught.value)


def test_an_at_sign_alone_is_no_secret() -> None:
    for url in ("udp://@:5000", "http://host/people/@home", "http://host/a?b=c@d"):
        assert stream(url=url).url == url


def test_a_file_that_is_nothing_but_an_address_is_not_repeated(tmp_path: Path) -> None:
    (told,) = refused(tmp_path, "rtsp://admin:hunter2@10.0.0.4/main\n")
    assert told.startswith("1: a config is a mapping") and "hunter2" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "streams:\n  a: {url: x.mp4, tranport: tcp}\n",
            "2: unknown key `streams.a.tranport`",
        ),
        ("streams:\n  a:\n    url: x\n    tls: {verifi: 1}\n", "4: unknown key `streams.a.tls.ver"),
        ("defaults: {tls: {verifi: 1}}\n", "1: unknown key `defaults.tls.verifi`; did you mean"),
        ("control: {prt: 1}\n", "1: unknown key `control.prt`; did you mean `port`?"),
        ("streams: {a: x.mp4, a: y.mp4}\n", "1: 'a' is there twice; keep one"),
        ("streams:\n  Yard: x.mp4\n", "2: streams.Yard.[key]: String should match pattern"),
        ("streams: {a: 'srt://host:9'}\n", "1: streams.a: srt://host:9: srt addresses are not"),
        ("streams: {a: 'concat:a|b'}\n", "1: streams.a: concat:a|b: concat addresses are not op"),
        ("streams: {a: {url: 'http://h/a', kind: rtsp}}\n", "1: streams.a: http://h/a: http addr"),
        (
            "streams: {a: {url: x.mp4, lanes: [acton]}}\n",
            "1: config: stream 'a': no lane is c",
        ),
        (
            "streams: {a: {url: x.mp4, sampling: {sound: 2}}}\n",
            "1: config: stream 'a': lane 's",
        ),
        ("outputs: [overlay]\n", "1: outputs.0: Input should be 'jsonl' or 'parquet'"),
        ("streams: {a: {url: x.mp4, lanes: []}}\n", "1: streams.a.lanes: Tuple should have at le"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert refused(tmp_path, text)[0].startswith(told)


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        ({"user": "admin"}, "name one place of the password"),
        ({"password_env": "A", "file": "b"}, "name one place of the password"),
        ({"password_env": "A"}, "say whose password it is"),
        ({"user": "a", "user_env": "B", "password_env": "C"}, "not as both"),
        ({"user": "admin", "password": "hunter2"}, "Extra inputs"),
    ],
)
def test_credentials_name_one_place(credentials: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        stream(credentials=credentials)
    assert "hunter2" not in str(caught.value)


def test_a_password_that_stands_in_the_file_is_not_repeated(tmp_path: Path) -> None:
    text = "streams:\n  yard:\n    url: rtsp://h/a\n    credentials: {user: a, password: hunter2}\n"
    assert not [told for told in refused(tmp_path, text) if "hunter2" in told]


def test_what_comes_over_the_interface_has_its_own_limits() -> None:
    control = ControlConfig()
    admitted = control.admits(stream(allow=["loopback", "private", "link_local"]))
    assert admitted.allow == ("private",)
    with pytest.raises(ValueError, match="paths of this machine"):
        control.admits(stream(url="/etc/passwd"))
    local = ControlConfig(local_paths=True)
    assert local.admits(stream(url="/srv/film.mp4")).url == "/srv/film.mp4"
    with pytest.raises(ValidationError, match="one place of the token"):
        ControlConfig(token_env="A", token_file="b")


def test_a_fleet_is_told_from_media_and_from_a_config(tmp_path: Path) -> None:
    assert is_fleet(write(tmp_path, GOOD))
    assert is_fleet(write(tmp_path, "streams: [\n"))
    assert not is_fleet(write(tmp_path, "lanes: []\n"))
    assert not is_fleet(tmp_path) and not is_fleet(tmp_path / "none.yaml")
    assert not is_fleet("rtsp://10.0.0.4/main")
    with pytest.raises(ConfigError, match="unknown key `streams`"):
        load_config(write(tmp_path, "streams: {}\n"))


def test_the_example_is_good() -> None:
    fleet = load_fleet(ROOT / "examples" / "streams.yaml")
    assert len(fleet.streams) > 5
    assert {one.settled_kind for one in fleet.streams.values()} > {"rtsp", "hls", "mpegts", "file"}
    assert isinstance(fleet, FleetConfig)
