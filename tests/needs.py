"""What a test needs from the machine: missing in CI it fails, elsewhere it is skipped by name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest


def need_program(name: str) -> str:
    """The path of a program on this machine."""
    found = shutil.which(name)
    if found is None:
        _missing(f"the program {name!r} is not installed, so what needs it did not run")
    return found


def need_kubectl() -> str:
    """kubectl. Skipped without it in CI as well: Debian's is too old, so .ci/apt has none."""
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip(
            "no kubectl: Debian has none that knows kustomize 5; deploy/kubernetes not built"
        )
    return found


def need_own_mounts() -> list[str]:
    """The start of a command whose mounts nobody else sees and that end with it."""
    command = [need_program("unshare"), "--map-root-user", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        _missing("this machine lets nobody mount anything, so what needs it did not run")
    return command


def need_gstreamer() -> str:
    """A Python that can run Debian's RTSP server."""
    python = need_program("/usr/bin/python3")
    ask = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([python, "-c", ask], capture_output=True, check=False).returncode:
        _missing("Debian's RTSP server is not installed (.ci/apt), so what needs it did not run")
    return python


def need_gstreamer_tls() -> None:
    """A Python that can run Debian's RTSP server over TLS."""
    python = need_gstreamer()
    ask = "from gi.repository import Gio; assert Gio.TlsBackend.get_default().supports_tls()"
    if subprocess.run([python, "-c", ask], capture_output=True, check=False).returncode:
        _missing("GLib cannot speak TLS (.ci/apt), so what needs it did not run")


def need_nginx_rtmp() -> Path:
    """The RTMP module of nginx."""
    need_program("nginx")
    module = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
    if not module.exists():
        _missing("nginx has no RTMP module (.ci/apt), so what needs it did not run")
    return module


def need_namespaces() -> None:
    """The right to make network namespaces, and the programs that fill them."""
    for name in ("ip", "tc", "iptables"):
        need_program(name)
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        _missing("this machine lets nobody make a network, so what needs it did not run")


def _missing(message: str) -> NoReturn:
    if (
        "1" in (os.environ.get("CI"), os.environ.get("WITNESS_CI"))
        or os.environ.get("CI") == "true"
    ):
        pytest.fail(message)
    pytest.skip(message)
