"""The images as far as they can be looked at without an engine: none was built here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.measure.access import PORT
from pipeline.measure.page import MetricsPage
from pipeline.measure.values import Metrics
from tests.deploy.images import DOCKER, ROOT, chain, seen_by_a_build, stages
from tests.needs import need_own_mounts, need_program

PROGRAMS = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TARGETS = ("cpu", "gpu")
AT_RUN_TIME = {"libgl1", "libglib2.0-0", "tini", "python3"}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_linter_finds_nothing() -> None:
    hadolint = PROGRAMS / "hadolint"
    if not hadolint.exists():  # its wheel is for x86-64 alone
        hadolint = Path(need_program("hadolint"))
    done = run(str(hadolint), str(DOCKER / "Dockerfile"))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_a_build_without_a_target_is_for_the_cpu() -> None:
    assert list(stages())[-1] == "cpu"
    assert set(TARGETS) <= set(stages())


@pytest.mark.parametrize("target", TARGETS)
def test_bases_are_pinned_and_can_be_pinned_by_digest(target: str) -> None:
    base = chain(target)[-1].base
    name, _, tag = base.partition(":")
    assert re.search(r"\d+\.\d+\.\d+", tag), base
    said = (DOCKER / "Dockerfile").read_text()
    assert f"_IMAGE={name}:{tag}" in said
    told = (ROOT / "docs" / "deploy.md").read_text()
    assert all(f"{word}_IMAGE=" in told for word in ("PYTHON", "CUDA"))


def test_what_is_copied_is_there_and_is_seen() -> None:
    for stage in stages().values():
        for rest in stage.said("COPY"):
            words = rest.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages()
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert source == "." or seen_by_a_build(source), source


def test_a_build_sees_what_the_wheel_is_made_of_and_nothing_else() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wheel = tool["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", PROJECT["readme"]}
    needed |= set(PROJECT["license-files"])
    assert all(seen_by_a_build(path) for path in needed), needed
    assert seen_by_a_build("pipeline/run/live/supervise.py")
    for other in (
        ".git/config",
        "docker/secrets/yard",
        "out/demo/events.jsonl",
        ".venv/bin/python",
    ):
        assert not seen_by_a_build(other), other
    assert not seen_by_a_build("pipeline/__pycache__/cli.pyc")


@pytest.mark.parametrize("target", TARGETS)
def test_what_runs_carries_no_compiler_and_no_cache(target: str) -> None:
    for stage in chain(target):
        for step in stage.said("RUN"):
            assert "pip install" not in step
            if "apt-get install" in step:
                assert "--no-install-recommends" in step
                assert step.endswith("rm -rf /var/lib/apt/lists/*")
                asked = step.partition("--no-install-recommends")[2].partition("&&")[0]
                assert set(asked.split()) <= AT_RUN_TIME
    built = stages()[f"built-{target}"].said("RUN")
    assert all("--no-cache-dir" in step for step in built if "pip install" in step)
    assert built[-1].endswith("pip uninstall --yes pip")


@pytest.mark.parametrize("target", TARGETS)
def test_both_targets_run_alike_as_somebody_without_rights(target: str) -> None:
    [stage, other] = [stages()[name] for name in (target, "cpu")]
    for word in ("USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "RUN"):
        assert stage.said(word) == other.said(word), word
    assert stage.said("USER") == ["10001:10001"]
    assert "--uid 10001" in stage.said("RUN")[0]
    environment = stage.environment()
    assert other.environment().items() <= environment.items()
    written = [*stage.listed("VOLUME"), "/tmp"]
    for name in ("HOME", "XDG_CACHE_HOME", "WITNESS_CACHE"):
        assert any(environment[name].startswith(place) for place in written), name
    assert stage.said("WORKDIR") == ["/data"]


def test_one_version_and_one_floor_of_torch() -> None:
    for target in TARGETS:
        [labels] = stages()[target].said("LABEL")
        assert f'image.version="{PROJECT["version"]}"' in labels
        assert f'image.licenses="{PROJECT["license"]}"' in labels
        [first, _] = [step for step in stages()[f"built-{target}"].said("RUN") if "pip" in step]
        for wanted in ("torch>=", "torchvision>="):
            [floor] = [each for each in PROJECT["dependencies"] if each.startswith(wanted)]
            assert f'"{floor}"' in first
            assert f"'{floor}'" in (ROOT / "Makefile").read_text()
    assert "cluster" in PROJECT["optional-dependencies"]


def test_torch_index_is_passed_on_by_the_shell() -> None:
    [step] = [s for s in stages()["built-cpu"].said("RUN") if "TORCH_INDEX" in s]
    words = step.partition("pip install")[2]
    shown = run("sh", "-c", f"printf '%s\\n' {words}", TORCH_INDEX="")
    assert shown.stdout.split() == ["--no-cache-dir", "torch>=2.9", "torchvision>=0.24"]
    shown = run("sh", "-c", f"printf '%s\\n' {words}", TORCH_INDEX="https://example.org/cpu")
    assert shown.stdout.split()[1:3] == ["--index-url", "https://example.org/cpu"]
    made = run("make", "-C", str(ROOT), "-n", "VENV=none", "TORCH_INDEX=https://e.org", "doctor")
    assert "--index-url \"https://e.org\" 'torch>=2.9'" in made.stdout


def test_the_health_check_asks_the_page_of_metrics() -> None:
    stage = stages()["cpu"]
    assert stage.said("EXPOSE") == [str(PORT)]
    [check] = stage.said("HEALTHCHECK")
    assert '"/opt/witness/healthy.py"' in check
    assert stage.said("COPY")[-1] == "docker/healthy.py /opt/witness/healthy.py"
    assert f"127.0.0.1:{PORT}/-/healthy" in (DOCKER / "healthy.py").read_text()


def test_the_health_check_tells_whether_a_witness_works() -> None:
    silent = 0.0
    with MetricsPage(Metrics(), 0, silent_s=lambda: silent) as page:
        where = f"http://{page.address}/-/healthy"
        well = run("python", str(DOCKER / "healthy.py"), WITNESS_HEALTHY=where)
        assert (well.returncode, well.stdout) == (0, "healthy\n")
        silent = 60.0
        hung = run("python", str(DOCKER / "healthy.py"), WITNESS_HEALTHY=where)
        assert (hung.returncode, "503" in hung.stderr) == (1, True)
    gone = run("python", str(DOCKER / "healthy.py"), WITNESS_HEALTHY=where)
    assert gone.returncode == 1


def test_the_entry_point_runs_outside_of_a_container() -> None:
    stage = stages()["cpu"]
    need_program("tini")
    done = run(*stage.listed("ENTRYPOINT"), "--help", TINI_SUBREAPER="1")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("run", "batch", *stage.listed("CMD")))


@pytest.mark.slow
def test_a_read_only_file_system_is_enough(tmp_path: Path, recording: Path) -> None:
    places = {name: tmp_path / name for name in ("data", "cache", "tmp")}
    for place in places.values():
        place.mkdir()
    script = "set -eu; " + "; ".join(f'mount -t tmpfs none "{place}"' for place in places.values())
    script += f"""
        for place in / {ROOT} {tmp_path}; do
            mount -o remount,bind,ro "$(findmnt -no TARGET -T "$place")"
        done
        if touch {ROOT}/written {tmp_path}/written; then echo "not read-only" >&2; exit 9; fi
        cd {places["data"]}
        witness run {recording} --lanes sound --engine local --metrics-port -1
        find out -name summary.json
    """
    told = stages()["cpu"].environment() | {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "HOME": str(places["tmp"]),
        "TMPDIR": str(places["tmp"]),
        "XDG_CACHE_HOME": str(places["cache"]),
        "WITNESS_CACHE": f"{places['cache']}/witness",
        "OMP_NUM_THREADS": "1",
    }
    done = run(*need_own_mounts(), "sh", "-c", script, **told)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "summary.json" in done.stdout
