from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.load import load_config
from pipeline.config.schema import RunConfig
from pipeline.errors import ConfigError

GOOD = """\
lanes:
  - kind: sound
    hop_s: 0.25
    spans:
      on: 0.7
  - kind: instances
    rate_hz: 2
outputs: [jsonl]
pool:
  members: 2
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "yard.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_a_good_file_is_typed(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD))
    assert [lane.kind for lane in config.lanes] == ["sound", "instances"]
    assert config.lanes[0].model_dump()["spans"]["on"] == 0.7
    assert (config.outputs, config.pool.members) == (("jsonl",), 2)


def test_an_empty_file_is_the_plain_config(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "# nothing yet\n")) == RunConfig()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("hop_s", "hops_s"), "3: unknown key `lanes.0.sound.hops_s`; did you mean `hop_s`?"),
        (("on: 0.7", "min: 1"), "5: unknown key `lanes.0.sound.spans.min`; did you mean `min_s`?"),
        (("pool", "pools"), "9: unknown key `pools`; did you mean `pool`?"),
        (("members: 2", "member: 2"), "10: unknown key `pool.member`; did you mean `members`?"),
    ],
)
def test_an_unknown_key_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    assert refused(tmp_path, GOOD.replace(*change)) == [told]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("hop_s: 0.25", "hop_s: long").replace("members: 2", "members: 0")
    first, second = refused(tmp_path, text)
    assert first.startswith("3: lanes.0.sound.hop_s: ") and first.endswith("(given: 'long')")
    assert second.startswith("10: pool.members: ") and second.endswith("(given: 0)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lanes: [\n", "2: not valid YAML: "),
        ("a: b: c\n", "1: not valid YAML: "),
        ("- sound\n", "1: a config is a mapping"),
        ("just words\n", "1: a config is a mapping"),
        ("lanes:\n  - kind: smell\n", "2: lanes.0: "),
        ("lanes:\n  - hop_s: 1\n", "2: lanes.0: "),
        ("lanes: !!python/object/apply:os.getcwd []\n", "1: not valid YAML: "),
    ],
)
def test_what_is_no_config_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    assert refused(tmp_path, text)[0].startswith(told)


def test_a_missing_file_a_folder_and_bytes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    path = tmp_path / "bytes.yaml"
    path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(path)


@given(text=st.text(max_size=60))
def test_any_text_is_a_config_or_a_config_error(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        assert isinstance(load_config(path), RunConfig)
    except ConfigError as error:
        assert str(error).startswith(str(path))
