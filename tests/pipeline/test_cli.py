import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from typer.testing import CliRunner, Result

from models.card import Card
from models.checkpoint import save
from pipeline.cli import app
from tests import clips, networks
from tests.pipeline.run.runs import files


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Watches and listens with small networks; writes rows only."""
    folder = tmp_path_factory.mktemp("config")
    lanes = [networks.action_lane(folder), networks.sound_lane(folder)]
    told = {"lanes": [lane.model_dump(exclude_none=True) for lane in lanes], "outputs": ["jsonl"]}
    told["pool"] = {"threads": 1}
    path = folder / "yard.yaml"
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")  # JSON is YAML
    return path


def call(*arguments: object) -> Result:
    """`witness` with these arguments; whatever it says, it shows no traceback and no password."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert "secret" not in result.output
    return result


def run(config: Path, out: Path, *arguments: object) -> Result:
    plain = ["--config", config, "--out", out, "--engine", "local", "--metrics-port", "-1"]
    return call("run", *arguments, *plain)


def flat(text: str) -> str:
    """Text without the line breaks of a narrow terminal."""
    return re.sub(r"\s+", " ", text)


def test_a_good_source_gives_rows_and_0(film: Path, config: Path, tmp_path: Path) -> None:
    result = run(config, tmp_path, film)
    assert result.exit_code == 0, result.output
    assert files(tmp_path) == [f"{film.stem}/events.jsonl", f"{film.stem}/summary.json"]
    assert "What was seen and heard" in result.output


@pytest.mark.parametrize("name", ["silent_film", "recording"])
def test_one_medium_is_enough(
    name: str, config: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    result = run(config, tmp_path, request.getfixturevalue(name))
    assert result.exit_code == 0, result.output
    missing = "sound" if name == "silent_film" else "pictures"
    assert f"no {missing}, so lane" in flat(result.output)


def bad_sources(folder: Path) -> dict[str, str]:
    """Sources that cannot be read, with what is said of them."""
    (folder / "empty.mp4").touch()
    (folder / "notes.mp4").write_text("just words\n" * 50, encoding="utf-8")
    (folder / "folder").mkdir()
    return {
        str(folder / "missing.mp4"): "no such file",
        str(folder / "folder"): "is a directory",
        str(folder / "empty.mp4"): "is empty (0 bytes)",
        str(folder / "notes.mp4"): "is not a video or sound file",
        str(clips.header_only(folder)): "no stream of pictures or sound",
        "lavfi:testsrc": "cannot open 'lavfi' addresses",
        "rtsp://user:secret@127.0.0.1:1/x": "no connection",
    }


def test_bad_sources_are_told_with_3_and_harm_no_good_one(
    film: Path, config: Path, tmp_path: Path
) -> None:
    bad = bad_sources(tmp_path)
    result = run(config, tmp_path / "out", *bad, film)
    assert result.exit_code == 3
    told = flat(result.output)
    assert [what for what in bad.values() if what not in told] == []
    good = [f"{film.stem}/events.jsonl", f"{film.stem}/summary.json"]
    assert files(tmp_path / "out") == good


def test_a_bad_config_is_told_with_2_before_anything_runs(
    film: Path, config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("lanes:\n  - kind: sound\n    hopp_s: 1\n", encoding="utf-8")
    told = f"{path}:3: unknown key `lanes.0.sound.hopp_s`; did you mean `hop_s`?"
    for result in (run(path, tmp_path / "out", film), call("validate", path)):
        assert result.exit_code == 2
        assert flat(told) in flat(result.output)
    missing = run(tmp_path / "none.yaml", tmp_path / "out", film)
    assert missing.exit_code == 2 and "no such config file" in flat(missing.output)
    lanes = run(config, tmp_path / "out", film, "--lanes", "smell")
    assert lanes.exit_code == 2 and "known lanes are action, sound" in flat(lanes.output)
    assert not (tmp_path / "out").exists()


def with_weights(folder: Path, weights: Path) -> Path:
    path = folder / "weights.yaml"
    lane = {"kind": "sound", "weights": str(weights)}
    path.write_text(json.dumps({"lanes": [lane], "outputs": ["jsonl"]}), encoding="utf-8")
    return path


def test_weights_that_do_not_fit_are_told_with_2(film: Path, tmp_path: Path) -> None:
    good = Path(networks.sound_lane(tmp_path).weights)
    other = Path(networks.action_lane(tmp_path).weights)
    card = Card.read(good.with_suffix(".json"))
    misfit, damaged = tmp_path / "misfit.safetensors", tmp_path / "damaged.safetensors"
    save(misfit, {"last.weight": torch.zeros(1)}, card)
    damaged.write_bytes(good.read_bytes()[:-8])
    damaged.with_suffix(".json").write_text(card.to_json(), encoding="utf-8")
    pickled = tmp_path / "weights.pt"
    torch.save({}, pickled)
    for weights, told in {
        other: "the sound lane needs a wavenet",
        tmp_path / "none.safetensors": "no such checkpoint",
        pickled: "pickled weights can run code",
        misfit: "the weights do not match the network",
        damaged: "is damaged or belongs to another card",
    }.items():
        result = run(with_weights(tmp_path, weights), tmp_path / "out", film)
        assert (result.exit_code, told in flat(result.output)) == (2, True), result.output
    assert files(tmp_path / "out") == []


def test_a_device_that_is_not_there_is_told_with_2(
    film: Path, config: Path, tmp_path: Path
) -> None:
    result = run(config, tmp_path, film, "--device", "cuda")
    absent = not torch.cuda.is_available()
    assert result.exit_code == (2 if absent else 0)
    assert ("torch sees no CUDA device" in flat(result.output)) == absent


def test_an_output_that_cannot_be_written_is_told_with_3(
    film: Path, silent_film: Path, config: Path, tmp_path: Path
) -> None:
    (tmp_path / film.stem).write_text("a file in the way", encoding="utf-8")
    result = run(config, tmp_path, film, silent_film)
    assert result.exit_code == 3
    assert "cannot be written: a part of the path is a file" in flat(result.output)
    rows = [f"{silent_film.stem}/events.jsonl", f"{silent_film.stem}/summary.json"]
    assert files(tmp_path) == sorted([film.stem, *rows])


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_told_with_3(film: Path, config: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    plain = ["--config", config, "--out", tmp_path, "--engine", "local", "--metrics-port", "-1"]
    plain += ["--lanes", "sound"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pipeline", "run", str(film), *map(str, plain)],
        preexec_fn=small_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot be written: File too large" in flat(done.stdout)
    assert "Traceback" not in done.stdout + done.stderr
    assert files(tmp_path) == []


def test_usage_is_explained() -> None:
    assert call("run").exit_code == 2
    assert call("run", "a.mp4", "--engine", "steam").exit_code == 2
    shown = call("--help")
    assert shown.exit_code == 0
    assert all(verb in shown.output for verb in ("run", "demo", "probe", "validate", "doctor"))


LOADED = """
import sys
from pipeline.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print("LOADED", sorted({"torch", "ray", "av", "cv2", "numpy"} & set(sys.modules)))
"""


def test_help_loads_nothing_heavy_and_answers_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED []"

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "pipeline", "--help"], capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(5)) < 0.5


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_at_the_terminal_keeps_what_was_read(
    media: Path, config: Path, tmp_path: Path
) -> None:
    picture = clips.at_rate(clips.Fraction(25), seconds=60)
    film = clips.make(media, clips.Recipe("mp4", picture, clips.Sound(seconds=clips.Fraction(60))))
    told = tmp_path / "told.txt"
    options = ["--config", config, "--out", tmp_path / "out", "--metrics-port", "-1"]
    command = [sys.executable, "-m", "pipeline", "run", film, film, *options]
    with told.open("w", encoding="utf-8") as output:
        witness = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while " s " not in told.read_text(encoding="utf-8"):  # the first event
            assert witness.poll() is None and time.monotonic() < deadline, told.read_text()
            psutil.Process().cpu_percent(interval=0.2)
        os.killpg(witness.pid, signal.SIGINT)  # as a terminal does: to everybody in the group
        assert witness.wait(timeout=60) == 130, told.read_text(encoding="utf-8")
    said = told.read_text(encoding="utf-8")
    assert "interrupted: what was read until then is kept" in flat(said)
    assert "Traceback" not in said
    names = files(tmp_path / "out")
    assert f"{film.stem}/summary.json" in names
    assert not any(Path(name).name.startswith(".") for name in names)
    summary = json.loads((tmp_path / "out" / film.stem / "summary.json").read_text("utf-8"))
    assert summary["interrupted"] and not summary["complete"]
    assert summary["ledger"]["closed"]
