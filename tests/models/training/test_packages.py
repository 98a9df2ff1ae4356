import hashlib
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from models.training.packages import Package, PackageError, cache_folder, fetch


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WITNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    return folder


def deb(given: Path) -> Package:
    """A real Debian package with one file, as dpkg-deb builds it."""
    tree = given.parent / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: beeps\nVersion: 4:1.0-2\nArchitecture: all\n"
        "Maintainer: Nobody <nobody@example.org>\nDescription: beeps\n"
    )
    (tree / "usr" / "share").mkdir(parents=True)
    (tree / "usr" / "share" / "beep.txt").write_text("beep")
    path = given / "beeps_4%3a1.0-2_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(tree), str(path)], check=True, capture_output=True)
    return Package("beeps", "4:1.0-2", hashlib.sha256(path.read_bytes()).hexdigest(), "CC0")


def wheel(given: Path, name: str = "some-beeps") -> Package:
    path = given / "some_beeps-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("beeps/beep.txt", "beep")
    return Package(name, "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), "CC0", "pypi")


def test_a_debian_archive_is_checked_and_unpacked_once(given: Path, cache: Path) -> None:
    package = deb(given)
    folder = fetch(package, given)
    assert (folder / "usr" / "share" / "beep.txt").read_text() == "beep"
    assert cache in folder.parents
    (given / "beeps_4%3a1.0-2_all.deb").unlink()
    assert fetch(package, given) == folder


def test_a_wheel_is_unpacked_though_its_name_is_spelt_with_underscores(given: Path) -> None:
    assert (fetch(wheel(given), given) / "beeps" / "beep.txt").read_text() == "beep"


def test_a_source_distribution_is_unpacked(given: Path) -> None:
    path = given / "beeps-2.0.tar.gz"
    (given / "beep.txt").write_text("beep")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(given / "beep.txt", "beeps-2.0/beep.txt")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    folder = fetch(Package("beeps", "2.0", digest, "CC0", "pypi"), given)
    assert (folder / "beeps-2.0" / "beep.txt").read_text() == "beep"


def test_a_folder_that_is_unpacked_already_is_taken_as_it_is(given: Path) -> None:
    (given / "beeps").mkdir()
    assert fetch(Package("beeps", "1.0", "0" * 64, "CC0"), given) == given / "beeps"


def test_another_file_under_the_same_name_is_refused(given: Path, cache: Path) -> None:
    package = wheel(given)
    with zipfile.ZipFile(given / "some_beeps-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("more.txt", "more")
    with pytest.raises(PackageError, match=r"sha256 .* is not the expected"):
        fetch(package, given)
    assert not list((cache / "packages").iterdir())


def test_a_missing_archive_is_named_with_its_registry(given: Path) -> None:
    with pytest.raises(PackageError, match=r"beeps 1\.0 from debian"):
        fetch(Package("beeps", "1.0", "0" * 64, "CC0"), given)


def test_a_damaged_archive_is_told_apart_from_a_missing_one(given: Path) -> None:
    path = given / "beeps_1.0_all.deb"
    path.write_bytes(b"not an archive")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(PackageError, match="cannot unpack it"):
        fetch(Package("beeps", "1.0", digest, "CC0"), given)


def test_a_client_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, given: Path) -> None:
    monkeypatch.setenv("PATH", str(given))
    with pytest.raises(PackageError, match=r"apt-get is not on this machine.*--from"):
        fetch(Package("beeps", "1.0", "0" * 64, "CC0"))


def test_what_a_client_says_is_passed_on(monkeypatch: pytest.MonkeyPatch, given: Path) -> None:
    tool = given / "apt-get"
    tool.write_text("#!/bin/sh\necho E: no such version >&2\nexit 100\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{given}:/usr/bin:/bin")
    with pytest.raises(PackageError, match="E: no such version"):
        fetch(Package("beeps", "1.0", "0" * 64, "CC0"))


def test_the_cache_is_made_where_the_environment_says(cache: Path) -> None:
    assert cache_folder() == cache
    assert cache.is_dir()


def test_a_card_entry_names_version_licence_and_digest() -> None:
    entry = Package("beeps", "1.0", "0" * 64, "CC0").for_card()
    assert entry == {
        "package": "beeps",
        "version": "1.0",
        "registry": "debian",
        "licence": "CC0",
        "sha256": "0" * 64,
    }
