"""torchvision's own weights: refused when absent or damaged, never fetched silently."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from models.card import CheckpointError
from models.pretrained import cached_file, torchvision_state


@dataclass
class Member:
    """Shaped like a torchvision weights enum member; its address is the file itself."""

    url: str
    meta: dict[str, Any] = field(default_factory=lambda: {"_file_size": 0.002})


@pytest.fixture(autouse=True)
def _torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def published(folder: Path) -> Member:
    """A state dict written as torchvision publishes one, hash in its name."""
    plain = folder / "plain.pth"
    torch.save({"weight": torch.arange(6.0)}, plain)
    digest = hashlib.sha256(plain.read_bytes()).hexdigest()
    return Member(plain.rename(folder / f"net-{digest[:8]}.pth").as_uri())


def test_offline_and_absent_says_what_to_get(tmp_path: Path) -> None:
    member = published(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        torchvision_state(member, offline=True, announce=pytest.fail)
    for part in (member.url, str(cached_file(member)), "0.0 MB"):
        assert part in str(caught.value)


def test_a_download_is_announced_first_and_then_cached(tmp_path: Path) -> None:
    member, told = published(tmp_path), []
    state = torchvision_state(member, offline=False, announce=told.append)
    assert torch.equal(state["weight"], torch.arange(6.0))
    assert len(told) == 1
    assert member.url in told[0]
    again = torchvision_state(member, offline=True, announce=pytest.fail)
    assert torch.equal(again["weight"], state["weight"])


def test_a_damaged_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    member = published(tmp_path)
    torchvision_state(member, offline=False, announce=lambda _text: None)
    cached_file(member).write_bytes(b"not what was published")
    with pytest.raises(CheckpointError, match="sha256"):
        torchvision_state(member, offline=True, announce=pytest.fail)


def test_a_local_file_is_taken_and_a_missing_one_never_downloaded(tmp_path: Path) -> None:
    member = published(tmp_path)
    local = Path(member.url.removeprefix("file://"))
    state = torchvision_state(member, offline=True, announce=pytest.fail, file=local)
    assert state.keys() == {"weight"}
    with pytest.raises(CheckpointError, match="no such file"):
        torchvision_state(member, offline=False, announce=pytest.fail, file=tmp_path / "none.pth")


def test_a_failed_download_is_told_with_the_address(tmp_path: Path) -> None:
    member = Member((tmp_path / "net-01234567.pth").as_uri())
    with pytest.raises(CheckpointError, match="download failed"):
        torchvision_state(member, offline=False, announce=lambda _text: None)
