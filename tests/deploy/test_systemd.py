"""The units, read by systemd's own tools; what they forbid is held against a run under strace.

No systemd is at work here: no unit of it was ever started by these tests.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import psutil
import pytest
import typer
import yaml

from pipeline.cli import app
from tests.deploy.images import ROOT
from tests.deploy.monitoring import wait_for
from tests.needs import need_program

HERE = ROOT / "deploy" / "systemd"
UNITS = {path.name: path.read_text() for path in HERE.iterdir()}
INSTANCES = {name: name.replace("@", "@yard") for name in UNITS}
AT_MOST = 1.5
"""Of ten, by systemd-analyze; without a sandbox a service has above nine."""


def settings(unit: str) -> dict[str, list[str]]:
    """What [Service] says, every value of a name in order."""
    found: dict[str, list[str]] = {}
    service = UNITS[unit].partition("[Service]")[2].partition("[Install]")[0]
    for line in service.splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def command(unit: str) -> list[str]:
    [line] = settings(unit)["ExecStart"]
    return line.replace("%i", "yard").split()


@cache
def calls(group: str) -> frozenset[str]:
    """The system calls of a group, as this systemd has it."""
    ask = [need_program("systemd-analyze"), "syscall-filter", group]
    done = subprocess.run(ask, capture_output=True, text=True, check=True)
    found: set[str] = set()
    for line in done.stdout.splitlines()[1:]:
        word = line.partition("#")[0].strip()
        found |= calls(word) if word.startswith("@") else {word} if word else set()
    return frozenset(found)


def allowed(unit: str) -> set[str]:
    """The system calls that a unit's filters leave."""
    left: set[str] = set()
    for line in settings(unit)["SystemCallFilter"]:
        words = line.removeprefix("~").split()
        named = {c for word in words for c in (calls(word) if word[0] == "@" else {word})}
        left = left - named if line.startswith("~") else left | named
    return left


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_systemd_finds_no_mistake(unit: str, tmp_path: Path) -> None:
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    for name, text in UNITS.items():
        path = tmp_path / "etc" / "systemd" / "system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    program = tmp_path / command(unit)[0].lstrip("/")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    ask = ["systemd-analyze", "verify", f"--root={tmp_path}", "--man=no", INSTANCES[unit]]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "witness" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_little_is_exposed_and_the_page_says_how_much(unit: str) -> None:
    ask = [need_program("systemd-analyze"), "security", "--offline=yes", "--no-pager"]
    ask += [f"--threshold={round(AT_MOST * 10)}", str(HERE / unit)]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+) OK", done.stdout)
    assert level is not None
    assert f"| `{unit}` | {level[1]} |" in (ROOT / "docs" / "deploy.md").read_text()


def test_both_units_are_shut_alike() -> None:
    after = [
        text.partition("# What it may do.\n")[2].partition("\n[")[0] for text in UNITS.values()
    ]
    assert after[0]
    assert {each.strip() for each in after} == {after[0].strip()}


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_the_command_line_takes_what_a_unit_runs(unit: str) -> None:
    program, name, *words = command(unit)
    assert program == "/opt/witness/bin/witness"
    found = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    asked = found.make_context(name, words).params
    assert asked["engine"].value == "local"
    [state] = settings(unit)["StateDirectory"]
    assert str(asked["out"]).startswith(f"/var/lib/{state}/")
    assert settings(unit)["KillMode"] == ["mixed"]
    assert settings(unit)["OOMPolicy"] == ["continue"]


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_what_is_written_is_where_the_unit_may_write(unit: str) -> None:
    told = settings(unit)
    assert told["ProtectSystem"] == ["strict"]
    environment = dict(pair.split("=", 1) for line in told["Environment"] for pair in line.split())
    written = {f"/var/lib/{told['StateDirectory'][0]}", f"/var/cache/{told['CacheDirectory'][0]}"}
    assert {environment[name] for name in ("HOME", "XDG_CACHE_HOME", "WITNESS_CACHE")} == written


def test_the_page_says_how_secrets_come_to_a_stream() -> None:
    [credential] = settings("witness.service")["LoadCredential"]
    name, _, folder = credential.partition(":")
    told = (ROOT / "docs" / "deploy.md").read_text()
    assert f"{folder}/yard" in told
    assert f"/run/credentials/witness.service/{name}_yard" in told


def test_the_parts_of_a_unit_are_those_of_systemd() -> None:
    for name, text in UNITS.items():
        parser = configparser.RawConfigParser(strict=False, delimiters="=")
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        wanted = {"Unit", "Service", "Install"} if "@" not in name else {"Unit", "Service"}
        assert set(parser.sections()) == wanted


@pytest.mark.slow
def test_a_run_makes_no_system_call_that_is_forbidden(tmp_path: Path) -> None:
    streams = {
        "lanes": [{"kind": "instances", "rate_hz": 1}, {"kind": "sound"}],
        "metrics": {"port": 0},
        "control": {"port": 0},
        "streams": {"street": {"url": str(ROOT / "examples/street.mp4"), "realtime": True}},
    }
    streams["streams"]["street"]["loop"] = True  # type: ignore[index]
    file, log = tmp_path / "streams.yaml", tmp_path / "calls"
    file.write_text(yaml.safe_dump(streams))
    # strace stops at no call that is allowed: the run is as fast as ever. `?`: it may not know all.
    left = ",".join(f"?{call}" for call in sorted(allowed("witness.service")))
    trace = [need_program("strace"), "-f", "--seccomp-bpf", "-o", str(log), "-e", f"trace=!{left}"]
    witness = [str(Path(sys.executable).parent / "witness"), *command("witness.service")[1:]]
    witness[witness.index("/etc/witness/streams.yaml")] = str(file)
    witness[-1] = str(tmp_path / "out")
    with subprocess.Popen(
        [*trace, *witness],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as traced:
        try:
            wait_for(lambda: any(tmp_path.glob("out/street/events/*.jsonl")), 120, "an event")
        finally:
            for process in psutil.Process(traced.pid).children():
                process.send_signal(signal.SIGTERM)
            told, _ = traced.communicate(timeout=60)
    assert traced.returncode == 0, told
    forbidden = set(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    assert forbidden == set()
