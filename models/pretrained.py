"""State dicts of torchvision's own published weights: checked, and never fetched silently."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from models.card import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")


def cached_file(member: Any) -> Path:
    """Where torch keeps the file of a torchvision weights enum member; it need not exist yet."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(member.url).name


def torchvision_state(
    member: Any,
    *,
    offline: bool,
    announce: Callable[[str], None],
    file: Path | None = None,
) -> dict[str, Tensor]:
    """The state dict of a torchvision weights enum member, on the CPU.

    The file is torchvision's own `.pth`, taken from `file` or torch's cache, or downloaded unless
    `offline`. It is a pickle, so it is opened with `weights_only=True`, and only after its sha256
    was compared with the prefix torchvision writes into the file name. `announce` is told before
    a byte is downloaded. CheckpointError names the file, its size, its address and what to do.
    """
    import torch

    path = file or cached_file(member)
    if not path.is_file():
        if offline or file is not None:
            raise CheckpointError(_absent(member, path))
        announce(f"downloading {member.url} ({_size(member)}) to {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(member.url, str(path), progress=False)
        except (URLError, OSError) as error:
            message = f"{_absent(member, path)} (the download failed: {error})"
            raise CheckpointError(message) from error
    _check_hash(member, path)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_published(network: nn.Module, state: dict[str, Tensor], origin: str) -> None:
    """Copies `state` into `network`; CheckpointError when they do not belong together."""
    try:
        # torchvision's older files name their layers otherwise, and only its modules know how.
        network.load_state_dict(state)
    except RuntimeError as error:
        message = f"{origin}: the weights do not match the network: {error}"
        raise CheckpointError(message) from error


def _check_hash(member: Any, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    wanted = _HASH_IN_NAME.search(Path(member.url).name)
    if wanted is None or not found.startswith(wanted.group(1)):
        message = (
            f"{path}: its sha256 starts {found[:8]}, {Path(member.url).name} says otherwise; "
            "the file is damaged or another one: delete it and get it again"
        )
        raise CheckpointError(message)


def _absent(member: Any, path: Path) -> str:
    return (
        f"{path}: no such file; {member} is {Path(member.url).name} ({_size(member)}): "
        f"allow the download, or get {member.url} elsewhere and put it there"
    )


def _size(member: Any) -> str:
    megabytes = member.meta.get("_file_size")
    return f"{megabytes:.1f} MB" if megabytes else "size not stated"
