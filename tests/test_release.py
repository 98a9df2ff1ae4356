"""What is released: its version stands in one place, and nothing is missing or too much."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The script, as a module."""
    loader = SourceFileLoader("release", str(ROOT / "scripts" / "release"))
    spec = spec_from_loader("release", loader)
    assert spec is not None
    module = module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def wheel_of(folder: Path, names: list[str]) -> Path:
    path = folder / "witness_av-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in names:
            wheel.writestr(name, b"")
    return path


def test_the_version_stands_in_one_place(release: ModuleType) -> None:
    version = release.declared()
    again = [
        str(path.relative_to(ROOT))
        for package in ("pipeline", "models")
        for path in (ROOT / package).rglob("*.py")
        if f'"{version}"' in path.read_text(encoding="utf-8")
    ]
    assert again == []


def test_the_changelog_says_what_the_version_brings(release: ModuleType) -> None:
    assert release.in_changelog(release.declared()) == []
    assert release.in_changelog("99.9.9")


def test_a_wheel_that_lacks_something_or_has_too_much_is_told(
    release: ModuleType, tmp_path: Path
) -> None:
    version = release.declared()
    whole = sorted({*release.NEEDED, *release.package_files()})
    about = f"witness_av-{version}.dist-info/METADATA"
    assert release.in_wheel(wheel_of(tmp_path, [*whole, about]), version) == []
    lacking = [name for name in whole if name != "models/weights/sound.safetensors"]
    wrong = [*lacking, about, "tests/test_a.py", "pipeline/out/events.jsonl"]
    told = "\n".join(release.in_wheel(wheel_of(tmp_path, wrong), version))
    assert "lacks models/weights/sound.safetensors" in told
    assert "has tests, which is none of its packages" in told
    assert "has pipeline/out/events.jsonl" in told


def test_the_package_is_imported_at_once() -> None:
    timed = "import time; began = time.process_time(); import pipeline, models"
    told = f"{timed}; print(time.process_time() - began)"
    took = [
        float(subprocess.run([sys.executable, "-c", told], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(took) < 0.3


@pytest.mark.slow
def test_wheel_and_sdist_are_built_whole(tmp_path: Path) -> None:
    script = [str(ROOT / "scripts" / "release"), sys.executable, "--only-build"]
    done = subprocess.run(
        [sys.executable, *script, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum("checked" in line for line in done.stdout.splitlines()) == 2
    [wheel] = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 40e6
