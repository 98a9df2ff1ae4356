"""What is said of a machine on which witness cannot be installed."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "scripts" / "prerequisites"
FULL_DISK = "#!/bin/sh\necho Filesystem Blocks Used Available\necho /dev/disk 9 8 {kib}\n"


def asked(folder: Path, path: Path | None = None, **environment: str) -> tuple[int, str, str]:
    """Exit code, what was printed and what was said, in a folder without an environment."""
    known = {"PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"], **environment}
    done = subprocess.run([SCRIPT], cwd=folder, env=known, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def disk_of(folder: Path, gib: int) -> Path:
    """A folder of programs in which `df` tells of so much room."""
    program = folder / "bin" / "df"
    program.parent.mkdir(exist_ok=True)
    program.write_text(FULL_DISK.format(kib=gib * 2**20))
    program.chmod(0o755)
    return program.parent


def test_a_machine_with_all_of_it_names_its_python(tmp_path: Path) -> None:
    code, printed, said = asked(tmp_path, disk_of(tmp_path, 8))
    assert (code, said) == (0, "")
    assert Path(printed.strip()).is_file()


def test_a_disk_without_room_is_told_before_anything_is_installed(tmp_path: Path) -> None:
    code, printed, said = asked(tmp_path, disk_of(tmp_path, 5))
    assert (code, printed) == (1, "")
    assert "8 GB of free disk" in said
    assert "5 GB are free" in said
    assert "TORCH_INDEX" in said
    assert "apt-get" not in said


def test_how_much_wheels_for_processors_want_is_not_known(tmp_path: Path) -> None:
    path = disk_of(tmp_path, 5)
    assert asked(tmp_path, path, TORCH_INDEX="https://wheels.example/cpu")[0] == 0


def test_what_is_installed_wants_no_room(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    assert asked(tmp_path, disk_of(tmp_path, 0))[0] == 0


def test_a_python_that_is_too_old_or_none_is_told(tmp_path: Path) -> None:
    code, _, said = asked(tmp_path, disk_of(tmp_path, 8), PYTHON="python2.7")
    assert code == 1
    assert "Python 3.11, 3.12 or 3.13 (looked for python2.7)" in said
